"""Put the dashboard together. No globals: two apps over two stores can live in one process."""

import re
from importlib.resources import files
from typing import Any

from dash import Dash, html
from dash._utils import split_callback_id
from flask import Response
from prunescope.app import api, compression, experiment_routes, guard, layout, live
from prunescope.app.settings import Settings
from prunescope.engine.store import Store

LIVE = "prunescope.live"
"""Key of the `Live` hub in `app.server.extensions`."""
CALLBACKS = "/_dash-update-component"


# Dash brings what old browsers lack; those that read our scripts (2020 and later) lack none of it, and it replaces
# their own number parsing, which plotly leans on, by a slower one.
POLYFILL = re.compile(r'<script src="[^"]*/deps/polyfill@[^"]*"></script>\s*')


class Dashboard(Dash):
    """Dash without the code that only old browsers need."""

    def interpolate_index(self, **parts: Any) -> str:
        parts["scripts"] = POLYFILL.sub("", parts["scripts"])
        return super().interpolate_index(**parts)


def create_app(store: Store, settings: Settings) -> Dash:
    """Build the dashboard over `store`: page, callbacks, live push, JSON routes, and the guard before all.

    Nothing is started and nothing is written.
    """
    app = Dashboard(
        __name__,
        assets_folder=str(files("prunescope.app.assets")),
        use_pages=False,
        serve_locally=True,
        compress=False,
        title="Prunescope",
        # "Updating…" in the tab's title would flicker at every epoch.
        update_title="",
        add_log_handler=False,
        enable_mcp=False,
        websocket_callbacks=False,
    )
    # The page is in the index, as markup; Dash is left with an empty one of its own.
    app.layout = html.Div()
    layout.register(app, store, settings)
    app.server.extensions[LIVE] = live.register(app.server, store)
    experiment_routes.register(app.server, store, app.server.extensions[LIVE])
    api.register(app.server, store, settings, app.server.extensions[LIVE])
    _check_callback_bodies(app)
    compression.install(app.server)
    # Last, because the policy lists the hashes of all inline scripts; it still runs before all others.
    guard.install(app.server, settings, app.csp_hashes())
    return app


def _check_callback_bodies(app: Dash) -> None:
    """Answer a callback request that no page of ours would send with 400; Dash would answer 500."""
    dispatch = app.server.view_functions[CALLBACKS]

    def checked() -> Response:
        if not well_formed(guard.read_json(), app.callback_map):
            guard.refuse(400, "This is not a callback of the page.", None, "Reload the page.")
        return dispatch()

    app.server.view_functions[CALLBACKS] = checked


def well_formed(body: Any, callbacks: dict[str, dict[str, Any]]) -> bool:
    """Say whether `body` asks for a known callback, with the inputs, states and outputs it declares."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), str):
        return False
    callback = callbacks.get(body["output"])
    if callback is None or "callback" not in callback:
        return False
    changed = body.get("changedPropIds", [])
    outputs = body.get("outputs", [])
    declared = [] if callback["no_output"] else split_callback_id(body["output"])
    return (
        isinstance(changed, list)
        and all(isinstance(item, str) for item in changed)
        and _match(body.get("inputs", []), callback["inputs"])
        and _match(body.get("state", []), callback["state"])
        and (_match_one(outputs, declared) if isinstance(declared, dict) else _match(outputs, declared))
    )


def _match(given: Any, declared: list[dict[str, Any]]) -> bool:
    return (
        isinstance(given, list)
        and len(given) == len(declared)
        and all(_match_one(item, spec) for item, spec in zip(given, declared, strict=True))
    )


def _match_one(given: Any, declared: dict[str, Any]) -> bool:
    pattern = str(declared["id"]).startswith("{")
    if isinstance(given, list):
        return pattern and all(_match_one(item, declared) for item in given)
    if not isinstance(given, dict) or given.get("property") != declared["property"].split("@")[0]:
        return False
    return isinstance(given.get("id"), dict) if pattern else given.get("id") == declared["id"]
