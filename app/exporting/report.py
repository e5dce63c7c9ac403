"""The report of an experiment with its figures: those of its page, in one file that asks nobody for anything."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from prunescope.app.exporting.browser import json_in_html, plotly_source
from prunescope.app.exporting.catalog import figures_of
from prunescope.app.exporting.page import POLICY
from prunescope.app.feeds import finals, quantities
from prunescope.app.feeds.arms import REMOVING
from prunescope.app.feeds.sweep import SweepFeed
from prunescope.app.feeds.tickets import TicketsFeed
from prunescope.app.figures.theme import FONT, LIGHT
from prunescope.app.measured import Measured
from prunescope.app.pages import sweep, tickets
from prunescope.app.state import read_view
from prunescope.app.wire import plain
from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.report import Drawn, report_page, write_report
from prunescope.engine.store import Store

# Of a sweep, those that there are; anything else is a choice on the page.
OF_SWEEPS = (
    "accuracy", "train_accuracy", "loss", "epochs_to_fit", "distance", "angle", "norm", "unit_capacity", "unit_impact",
)  # fmt: skip
_STYLE = f"""<style>
figure {{ margin: 1.6rem 0; font-family: {FONT}; }} .plot {{ height: 360px; }} figcaption {{ color: #59616b; font-size: 13px; }}
figure h2 {{ margin: 0; }} @media print {{ figure {{ break-inside: avoid; }} }}
</style>"""
_DRAW = """<script>
for (const box of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(document.getElementById(box.id + "-data").textContent);
  Plotly.newPlot(box, figure.data, figure.layout, {displaylogo: false, responsive: true});
}
</script>"""


class Shown(NamedTuple):
    """One figure of the report, and how it is computed."""

    title: str
    how: str
    figure: dict[str, Any]


def write(store: Store, described: Described, folder: Path) -> Path:
    """Write page, tables and settings into a folder; returns the page.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    return write_report(store, described, folder, drawn(store, described))


def page(store: Store, described: Described) -> str:
    """The report as one HTML file."""
    return report_page(store, described, drawn(store, described))


def drawn(store: Store, described: Described) -> Drawn:
    """The finding and the figures of an experiment as it stands."""
    removing = described.experiment.kind in REMOVING
    finding, shown = (_removing if removing else _swept)(store, described)
    figures = "".join(_figure(number, one) for number, one in enumerate(shown))
    return Drawn(
        head=f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">{_STYLE}',
        lead=finding,
        figures=figures,
        tail=f"<script>{plotly_source(three=False)}</script>{_DRAW}" if figures else "",
    )


def _removing(store: Store, described: Described) -> tuple[str, list[Shown]]:
    *_, answer = TicketsFeed().look(store, read_view({"exp": described.id}), LIGHT)
    entries = figures_of({"tickets": tickets.layout})
    shown = [Shown(entries[name].title, " ".join(entries[name].how), figure) for name, figure in answer["figures"].items()]
    return answer["texts"]["tickets-finding"], [one for one in shown if one.figure["data"]]


def _swept(store: Store, described: Described) -> tuple[str, list[Shown]]:
    how = " ".join(figures_of({"sweep": sweep.layout})["sweep"].how)
    finding, shown = "", []
    for quantity, answer in _answers(store, described):
        finding = finding or answer["texts"]["sweep-finding"]
        figure = answer["figures"]["sweep"]
        if figure["data"]:
            title = quantities.words(quantity, read_view({}))
            shown.append(Shown(title[0].upper() + title[1:], "" if shown else how, figure))
    return finding, shown


def _answers(store: Store, described: Described) -> Iterator[tuple[str, dict[str, Any]]]:
    """The quantities that a sweep is known for, and those that somebody has had measured of all its runs."""
    feed, kept = SweepFeed(), Measured(store.root, write=False)

    def look(quantity: str) -> dict[str, Any]:
        (answer,) = feed.look(store, read_view({"exp": described.id, "quantity": quantity}), LIGHT, kept)
        return answer

    known = [name for name, *_ in look(OF_SWEEPS[0])["options"]["quantity"]]
    for quantity in (*OF_SWEEPS, *filter(finals.is_measured, known)):
        answer = look(quantity) if quantity in known else None
        if answer and answer["measured"][0] == answer["measured"][1]:
            yield quantity, answer


def _figure(number: int, one: Shown) -> str:
    data = json_in_html(plain({"data": one.figure["data"], "layout": one.figure["layout"]}))
    return (
        f'<figure><h2>{html.escape(one.title)}</h2><div class="plot" id="figure-{number}" role="img" '
        f'aria-label="{html.escape(one.title)}"></div>'
        f'<script type="application/json" id="figure-{number}-data">{data}</script>'
        f"<figcaption>{html.escape(one.how)}</figcaption></figure>"
    )
