"""From an address to the page on screen: ``python tests/benchmarks/bench_page.py``.

The dashboard sends its page as markup; the usual way gives the same components to Dash, whose renderer builds them in
the browser. Both are served by a process each, and loaded in turns by one headless Chromium, its cache warm: seconds
until the page's last element exists. Ours also: until all figures of a finished run's trajectories are drawn.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from prunescope.engine.store import LayerInfo, Store
from serving import chromium, served

ROUNDS = 7
EPOCHS, UNITS, FAN_IN = 31, 120, 9
WATCH = """
window.seen = {};
const look = () => {
  if (!seen.page && document.getElementById("toast")) seen.page = performance.now();
  const figures = [...document.querySelectorAll("#page-trajectories:not([hidden]) [data-figure]")];
  if (!seen.figures && figures.length && figures.every((box) => box.querySelector(".main-svg"))) seen.figures = performance.now();
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def main() -> int:
    """Measure both, in turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="loads of each (default %(default)s)")
    parser.add_argument("--serve", nargs=3, metavar=("HOW", "LOGDIR", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return 0
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        record(Path(folder))
        with (
            served(__file__, "--serve", "markup", folder) as markup,
            served(__file__, "--serve", "components", folder) as components,
        ):
            ours, usual = (f"{address}trajectories?run=page" for address in (markup, components))
            pages = {url: watched(browser) for url in (ours, usual)}
            times: dict[str, list[float]] = {url: [] for url in pages}
            figures = []
            for _ in range(options.rounds + 1):
                for url, page in pages.items():
                    seen = load(page, url, "figures" if url == ours else "page")
                    times[url].append(seen["page"] / 1000)
                    if url == ours:
                        figures.append(seen["figures"] / 1000)
    # The first load fills the caches of browser and server.
    mine, theirs = statistics.median(times[ours][1:]), statistics.median(times[usual][1:])
    print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
    print(f"{'a page loads':52} {f'components for Dash, {theirs:.2f} s':34} {'< 1×':>10} {f'{mine:.2f} s':>12}")
    print(f"{'  of the usual way':52} {'':34} {'':>10} {f'{mine / theirs:.2f}×':>12}")
    print(
        f"{'  all three figures of Trajectories drawn':52} {'':34} {'':>10} {f'{statistics.median(figures[1:]):.2f} s':>12}"
    )
    return 0


def record(folder: Path) -> None:
    """A finished run of one layer."""
    store, generator = Store(folder), np.random.default_rng(0)
    layer = LayerInfo(name="conv1", kind="conv", units=UNITS, fan_in=FAN_IN, shape=(UNITS, 1, 3, 3))
    weights = generator.standard_normal((UNITS, 1, 3, 3)).astype(np.float32)
    with store.writer(store.create_run({"dataset": "digits", "model": "channels"}, name="page")) as writer:
        writer.declare((layer,), total_epochs=EPOCHS - 1)
        for epoch in range(EPOCHS):
            weights += 0.1 * generator.standard_normal(weights.shape).astype(np.float32)
            writer.commit(float(epoch), {"conv1.weight": weights}, {"val/accuracy": epoch / EPOCHS})
        writer.set_state("done")


def watched(browser: Any) -> Any:
    """A tab in a profile of its own that notes when the page was there, and when its figures were."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(WATCH)
    return page


def load(page: Any, url: str, until: str) -> dict[str, float]:
    """Milliseconds from the navigation to what was seen."""
    page.goto(url)
    while not page.evaluate(f"() => window.seen.{until}"):
        page.wait_for_timeout(100)
    return page.evaluate("() => window.seen")


def serve(how: str, folder: str, port: str) -> None:
    """Serve the dashboard, or the same with its page given to Dash."""
    import waitress
    from prunescope.app import layout
    from prunescope.app.markup import to_html
    from prunescope.app.server import create_app
    from prunescope.app.settings import Settings

    settings = Settings(logdir=folder)
    app = create_app(Store(folder), settings)
    if how == "components":
        app.layout = layout.page(settings)
        app.index_string = app.index_string.replace(to_html(layout.page(settings)), "").replace("<div hidden>", "<div>")
    waitress.serve(app.server, host="127.0.0.1", port=int(port), threads=8)


if __name__ == "__main__":
    sys.exit(main())
