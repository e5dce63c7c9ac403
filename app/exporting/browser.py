"""Draw without a window: the machine's own Chrome runs the page's drawing code and hands back the files.

No package is needed for it, and what it draws is what the dashboard draws: the same plotly, the same
finishing script, the same bytes.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from prunescope.app.exporting.collect import ExportError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
FLAGS = (
    *("--headless", "--disable-gpu", "--hide-scrollbars", "--mute-audio"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-dev-shm-usage"),
    # The page's own clock runs ahead until all is drawn; then the document, files and all, is printed.
    *("--virtual-time-budget=60000", "--dump-dom"),
)
SECONDS = 180.0
VARIABLE = "PRUNESCOPE_BROWSER"

_PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><script>{plotly}</script><script>{finish}</script></head>
<body><script type="application/json" id="jobs">{jobs}</script><script>
(async () => {{
  const jobs = JSON.parse(document.getElementById("jobs").textContent);
  const say = (id, words) => {{
    const box = document.createElement("pre");
    box.id = id;
    box.textContent = words;
    document.body.append(box);
  }};
  for (const script of document.querySelectorAll("script")) script.remove();
  for (const [number, [plot, format]] of jobs.entries()) {{
    try {{
      const bytes = await prunescope.drawFile(plot, format);
      let text = "";
      for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
      say("file-" + number, btoa(text));
    }} catch (problem) {{ say("problem-" + number, String(problem && problem.message || problem)); }}
  }}
}})();
</script></body></html>"""


def find_browser() -> str | None:
    """The Chrome, Chromium or Edge of this machine; ``PRUNESCOPE_BROWSER`` names another."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    return next((found for name in NAMES if (found := shutil.which(name))), None) or next(
        (place for place in PLACES if Path(place).exists()), None
    )


def draw(jobs: Sequence[tuple[dict[str, Any], str]]) -> list[bytes]:
    """Draw figures, as ``/api/export?format=plot`` describes them, each as ``svg`` or ``png``.

    Raises
    ------
    ExportError
        If there is no browser, or it cannot draw one of them.
    """
    browser = find_browser()
    if browser is None:
        raise ExportError(
            "SVG, PNG and PDF from the shell are drawn by Chrome, Chromium or Edge without a window, and none was "
            f"found. Install one, or name it in {VARIABLE}; or export from the dashboard in any browser."
        )
    page = _PAGE.format(
        plotly=plotly_source(), finish=asset("cells.js") + asset("finish.js"), jobs=json_in_html(list(jobs))
    )
    with tempfile.TemporaryDirectory(prefix="prunescope-draw-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "page.html"
        path.write_text(page, encoding="utf-8")
        # Chrome refuses its sandbox to root, as whom containers often run.
        root = ["--no-sandbox"] if sys.platform.startswith("linux") and os.geteuid() == 0 else []
        command = [browser, *FLAGS, *root, f"--user-data-dir={folder}/profile", path.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - a browser that the user has installed
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExportError(
                f"{browser} did not draw the figure ({type(error).__name__}). Name another in {VARIABLE}."
            ) from None
    said = done.stdout.decode("utf-8", "replace")
    return [_result(said, number, browser, done) for number in range(len(jobs))]


def asset(name: str) -> str:
    return files("prunescope.app.assets").joinpath(name).read_text(encoding="utf-8")


def plotly_source(three: bool = False) -> str:
    """The drawing library: the page's small bundle, or the whole one where a figure is three-dimensional."""
    if three:
        return files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    folder = files("prunescope.app.assets")
    bundle = next(item for item in folder.iterdir() if item.name.startswith("plotly-cartesian"))
    return bundle.read_text(encoding="utf-8")


def json_in_html(value: Any) -> str:
    """JSON that can stand in a script element, whatever a run is called."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _result(said: str, number: int, browser: str, done: "subprocess.CompletedProcess[bytes]") -> bytes:
    found = re.search(rf'<pre id="file-{number}">([A-Za-z0-9+/=]+)</pre>', said)
    if found:
        return base64.b64decode(found[1])
    problem = re.search(rf'<pre id="problem-{number}">([^<]*)</pre>', said)
    why = (
        problem[1]
        if problem
        else f"exit code {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-300:].strip()}"
    )
    raise ExportError(f"{browser} could not draw the figure: {why}")
