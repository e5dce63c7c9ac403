"""The shell of the app: what every page stands in."""

from dash import Dash, html
from dash.development.base_component import Component
from prunescope.app.settings import Settings
from prunescope.engine.store import Store


def page(settings: Settings) -> Component:
    """Return the page before any run is known."""
    return html.Main([html.H1("Prunescope"), html.P(f"Runs are read from {settings.logdir}.")])


def register(app: Dash, store: Store) -> None:
    """Add the callbacks of every page to `app`."""
