"""The frame around all pages: runs at the left, pages on top, time below."""

import json
from importlib.resources import files
from typing import Any

from dash import Dash, html
from flask import Response, send_file
from prunescope.app import estimate, row_routes, selection_routes
from prunescope.app.evaluator import Evaluator
from prunescope.app.exporting import pdf, routes
from prunescope.app.exporting.catalog import figures_of
from prunescope.app.feeds import FEEDS
from prunescope.app.figures import theme
from prunescope.app.markup import to_html
from prunescope.app.pages import (
    alignment,
    compare,
    overlays,
    overview,
    pruning,
    similarity,
    spectrum,
    structure,
    sweep,
    tickets,
    trajectories,
)
from prunescope.app.state import PAGES, client_spec
from prunescope.engine.store import Store

LAYOUTS = {
    "overview": overview.layout,
    "alignment": alignment.layout,
    "trajectories": trajectories.layout,
    "pruning": pruning.layout,
    "similarity": similarity.layout,
    "structure": structure.layout,
    "spectrum": spectrum.layout,
    "tickets": tickets.layout,
    "sweep": sweep.layout,
    "compare": compare.layout,
}

FIGURES = figures_of(LAYOUTS | {"unit": overlays.drawer})

RECORDER_LINES = """from prunescope.engine import Recorder

with Recorder("{logdir}", name="mine", model=model) as recorder:
    for epoch in range(1, epochs + 1):
        ...                       # your training, unchanged
        recorder.log(epoch, {{"val/accuracy": accuracy}})"""

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>Prunescope</title>
<link rel="icon" href="/assets/favicon.svg" type="image/svg+xml">
<style>__TOKENS__</style>
{%css%}
</head>
<body>
__PAGE__
<div hidden>{%app_entry%}</div>
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


def index_string(settings: Any) -> str:
    """Dash's page shell with the colour tokens in it, so that nothing is ever painted in the wrong theme.

    The page itself is in it too, as markup: Dash's renderer, given the same components, takes seconds of a core to put
    up what the browser reads in milliseconds, and nothing of it is Dash's to change later.
    """
    return INDEX.replace("__TOKENS__", theme.css_variables()).replace("__PAGE__", to_html(page(settings)))


def page(settings: Any) -> html.Div:
    """Everything that is on screen before the first number arrives."""
    spec = client_spec() | {
        "feeds": {name: list(feed.keys) for name, feed in FEEDS.items()},
        "answers": [name for name, feed in FEEDS.items() if getattr(feed, "answers", False)],
        "measured": [name for name, feed in FEEDS.items() if getattr(feed, "measured", False)],
        "whole": [name for name, feed in FEEDS.items() if getattr(feed, "whole", False)],
        "redrawn": {name: feed.redrawn for name, feed in FEEDS.items() if hasattr(feed, "redrawn")},
        "titles": PAGES,
        "pdf": pdf.available(),
    }
    return html.Div(
        id="app",
        children=[
            html.A("Skip to the page", href="#main", className="skip"),
            _top(),
            _runs(),
            html.Main(
                id="main",
                className="main",
                tabIndex=-1,
                children=[*(LAYOUTS[name]() for name in PAGES), _welcome(settings)],
            ),
            html.Footer(className="foot", children=[html.Div(id="scrubber")], **{"aria-label": "Time"}),
            overlays.selection(),
            overlays.drawer(),
            html.Div(id="shade"),
            html.Div(id="toast", hidden=True, role="status"),
        ],
        **{"data-spec": json.dumps(spec)},
    )


def _top() -> html.Header:
    return html.Header(
        className="top",
        children=[
            html.Button("☰", type="button", className="icon-button", **{"data-do": "runs", "aria-label": "Runs"}),
            html.A(
                [html.I(), html.Span("Prunescope")],
                href="/",
                className="brand",
                **{"aria-label": "Prunescope"},
            ),
            html.Nav(
                className="nav",
                children=[
                    html.A(
                        title,
                        href=f"/{name}",
                        # A hairline between the pages about one run and those about many.
                        className="first-of-many" if name == "tickets" else None,
                        **{"data-page": name},
                    )
                    for name, title in PAGES.items()
                ],
                **{"aria-label": "Pages"},
            ),
            html.Div(
                id="badge",
                className="badge",
                role="status",
                children=[html.I(), html.Span(), html.Span(className="of")],
                **{"data-state": "idle"},
            ),
            html.Div(id="layer-pick"),
            html.Button("Copy link", type="button", className="button wide-only", **{"data-do": "link"}),
            html.Button("Present", type="button", className="button wide-only", **{"data-do": "present"}),
            html.Button(
                "▤",
                type="button",
                id="tray-button",
                className="icon-button",
                title="Figures tray",
                **{"data-do": "tray", "aria-label": "Figures tray"},
            ),
            html.Button(
                "⚙",
                type="button",
                className="icon-button narrow-only",
                **{"data-do": "rail", "aria-label": "Controls"},
            ),
        ],
    )


def _runs() -> html.Aside:
    return html.Aside(
        className="runs",
        children=[
            html.Div(
                className="runs-head",
                children=[
                    html.H2("Runs"),
                    html.Button("New run", type="button", className="small", **{"data-do": "new"}),
                    html.Button(
                        "‹",
                        type="button",
                        className="icon-button",
                        title="Fold the list away",
                        **{"data-do": "runs", "aria-label": "Hide the runs"},
                    ),
                ],
            ),
            html.Div(id="runs-filter"),
            html.Ul(id="runs-list"),
            html.P("No run yet.", id="runs-empty", className="card-text", hidden=True),
            html.Div(
                className="runs-foot",
                children=[
                    html.Button("Theme", type="button", id="theme-button", className="quiet", **{"data-do": "theme"}),
                    html.Button("Keys", type="button", className="quiet", **{"data-do": "keys"}),
                ],
            ),
        ],
        **{"aria-label": "Runs"},
    )


def _welcome(settings: Any) -> html.Div:
    return html.Div(
        className="welcome",
        children=[
            html.H1("Nothing recorded here yet."),
            html.P(["Prunescope looks at ", html.Code(str(settings.logdir)), ". Three ways to fill it:"]),
            html.P("Train one of the built-in networks, or many of them as an experiment:"),
            html.Div(
                className="welcome-actions",
                children=[
                    html.Button("New run", type="button", className="primary", **{"data-do": "new"}),
                    html.Button("New experiment", type="button", className="button", **{"data-do": "experiment"}),
                ],
            ),
            html.P("Or on the shell:"),
            html.Pre(
                f"prunescope train --dataset digits --model channels --init-scale 0.1 --logdir {settings.logdir}",
                className="command",
                # Both may be wider than the page: the keyboard must be able to scroll them.
                tabIndex=0,
            ),
            html.P("Or add four lines to a training loop of your own:"),
            html.Pre(RECORDER_LINES.format(logdir=settings.logdir), tabIndex=0),
        ],
    )


def register(app: Dash, store: Store, settings: Any) -> None:
    """Give the page its shell, its rows, and the drawing library's other half."""
    app.index_string = index_string(settings)
    evaluator = Evaluator(store.root, model=settings.model, data=settings.data)
    row_server = row_routes.register(app.server, store, evaluator, keep=not settings.read_only)
    selection_routes.register(app.server, store, evaluator)
    estimate.register(app.server, store, evaluator)
    routes.register(app.server, store, row_server, FIGURES, lambda: page(settings))

    @app.server.get("/api/plotly-full.js")
    def plotly_full() -> Response:
        # The page starts with the cartesian bundle, a third of the size; 3-D is fetched when first drawn.
        return send_file(
            str(files("plotly") / "package_data" / "plotly.min.js"), mimetype="text/javascript", max_age=86400
        )
