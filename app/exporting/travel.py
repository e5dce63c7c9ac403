"""A whole run as one HTML file: all its pages, with the dashboard's own code, and no server behind it.

The rows that a server would send are inside, for every layer and the default settings; what would have to be
computed anew (other settings, a selection of units) the file says that it does not hold.
"""

import base64
import gzip
import html
import itertools
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

from prunescope.app.api import details, summary
from prunescope.app.exporting.browser import json_in_html, plotly_source
from prunescope.app.exporting.collect import ExportError
from prunescope.app.exporting.page import POLICY
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.theme import THEMES, css_variables
from prunescope.app.markup import to_html
from prunescope.app.rows import RowServer
from prunescope.app.state import KEYS, read_view
from prunescope.app.wire import pack, plain
from prunescope.engine.store import Run

# They answer about units that somebody selects: there is nothing to send along.
_ON_DEMAND = frozenset({"selection", "unit", "unit-drop"})

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title} · Prunescope</title>
<style>{tokens}</style>
<style>{css}</style>
</head>
<body>
{body}
<script type="application/json" id="travelling">{payload}</script>
<script>{plotly}</script>
<script>{code}</script>
</body>
</html>
"""


def as_html(rows: RowServer, run: Run, page: Any, tell: Callable[[str], None] = lambda words: None) -> str:
    """The file's text.

    Parameters
    ----------
    page : the dashboard's page, as Dash components
    tell : called with a sentence now and then: measuring takes its time

    Raises
    ------
    ExportError
        If the run has no snapshot yet.
    """
    if not len(run.epochs):
        raise ExportError(f"{run.name}: nothing is recorded yet. Export when the first snapshot is there.")
    answers = {}
    for name in FEEDS:
        # What is about many runs stays behind: the file holds one.
        if name in _ON_DEMAND or getattr(FEEDS[name], "whole", False):
            continue
        layers = [layer.name for layer in run.layers] if "layer" in FEEDS[name].keys else [""]
        for layer in layers:
            tell(f"{name} {layer} …")
            answers[f"{name}|{layer}"] = _answer(rows, run, name, layer)
    about = {name: value for name, value in plain(details(run)).items() if name != "log"}
    packed = gzip.compress(json.dumps({"answers": answers}, separators=(",", ":")).encode(), 9, mtime=0)
    payload = {
        "run": run.id,
        "runs": {run.id: plain(summary(run))},
        "details": about,
        "defaults": {key.name: key.default for key in KEYS},
        "packed": base64.b64encode(packed).decode(),
    }
    return _PAGE.format(
        title=html.escape(run.name),
        policy=POLICY,
        tokens=css_variables(),
        css=_assets(".css"),
        body=to_html(page),
        payload=json_in_html(payload),
        plotly=plotly_source(three=False),
        # One script: the page starts only when all of it has been read.
        code=_assets(".js"),
    )


def _answer(rows: RowServer, run: Run, name: str, layer: str) -> dict[str, Any]:
    """What a feed would send: a head for each way of drawing, and the rows in one frame."""
    feed = FEEDS[name]
    at = float(run.epochs[-1])
    answers = getattr(feed, "answers", False)
    view = read_view({"run": run.id, "layer": layer}) | ({"at": at} if answers else {})
    try:
        computed = rows.computed(name, run, view)
        view |= feed.settled(computed.memory)
        if answers:
            epochs, sent = [at], []
            for row in feed.answer(run, computed.memory, view, at, rows.evaluator):
                sent = [row]
        else:
            found = list(rows.rows(name, run, computed, 0))
            epochs, sent = [epoch for epoch, _ in found], [row for _, row in found]
        heads = {
            key: feed.templates(run, computed.memory, shown, THEMES[theme]) for key, theme, shown in _ways(name, view)
        }
    except (ValueError, OSError) as error:
        return {"error": f"{error} (when this file was written)"}
    return {
        "heads": {key: _as_json(head) for key, head in heads.items()},
        "settled": plain(feed.settled(computed.memory)),
        "total": len(run.epochs),
        "frame": base64.b64encode(pack({"replace": True} if answers else {}, epochs, sent)).decode(),
    }


def _ways(name: str, view: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every way to draw a page: both themes, and all choices that only change the drawing."""
    keys = [key for key in KEYS if key.reach == "template" and name in key.pages and key.choices and key.name != "dims"]
    for theme in THEMES:
        for values in itertools.product(*([value for value, _ in key.choices] for key in keys)):
            chosen = dict(zip((key.name for key in keys), values, strict=True))
            yield json.dumps([theme, chosen], separators=(",", ":")), theme, view | chosen


def _as_json(head: dict[str, Any]) -> Any:
    # pack() knows how templates are written; its header is what is wanted here.
    frame = pack(head, [], [])
    length = int.from_bytes(frame[:4], "little")
    return json.loads(frame[8 : 8 + length])


def _assets(ending: str) -> str:
    folder = files("prunescope.app.assets")
    names = sorted(
        item.name for item in folder.iterdir() if item.name.endswith(ending) and not item.name.startswith("plotly")
    )
    # "</script" would end the script early, wherever it stands.
    text = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    if ending == ".css":
        # The one picture that the style sheet asks for comes along.
        logo = base64.b64encode(folder.joinpath("logo.svg").read_bytes()).decode()
        text = text.replace("url(logo.svg)", f"url(data:image/svg+xml;base64,{logo})")
    return text.replace("</script", "<\\/script")
