"""How small may the network be, and does its own beginning matter?"""

from dash import html
from prunescope.app.pages import parts

HOW_ACCURACY = parts.paragraphs(
    "Train, remove the smallest of what is left, reset the survivors, repeat. Each point is the mean over the seeds "
    "that have finished, the band one standard deviation (n − 1) either side. A hollow point has one run behind it "
    "(n=1) and no band. The axis runs from the whole network at the left to the smallest at the right.",
    "Arms: ticket — survivors at their own first weights; fresh initialisation — the same mask, weights drawn anew; "
    "random mask — as many removed at random; one per cluster — one unit of each direction.",
    "Sources: Frankle & Carbin 2018 (arXiv 1803.03635); Liu et al. 2018 (arXiv 1810.05270).",
)
HOW_CURVES = parts.paragraphs(
    "Validation accuracy over epochs, a line a round, the mean over seeds as far as all of them have come. Dotted "
    "grey: the dense network. The lighter the line, the less remains."
)
HOW_STOP = parts.paragraphs(
    "The iteration at which the validation loss is least, found afterwards among the recorded snapshots: training "
    "never stops there (Frankle & Carbin 2018, section 2)."
)
HOW_UNITS = parts.paragraphs(
    "A point a unit of the first layer and seed. Across: its angle to the nearest of four centres at the first "
    "snapshot after the initialisation of the dense run (spherical k-means; Brutzkus & Globerson 2019). Up: the share "
    "of its incoming weights that the masks keep, averaged over the finished rounds. Rank correlation: Spearman's, "
    "seed by seed, then mean ± sd."
)
HOW_OVERLAP = parts.paragraphs(
    "Intersection over union of the masks of two seeds, averaged over all pairs; dotted grey: its expectation for "
    "masks of the same sizes drawn at random. Seeds begin from different weights, so units have no common numbering "
    "but that of the input: only the first layer's columns mean the same."
)


def queue() -> html.Section:
    """What runs, what waits, what failed; drawn by the browser from one JSON answer."""
    return html.Section(
        className="card queue wide",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2("Queue"),
                    html.Span(className="card-note", **{"data-queue-note": ""}),
                    html.Span(className="queue-actions", **{"data-queue-actions": ""}),
                    html.A("Report", className="small button", **{"data-queue-report": ""}),
                ],
            ),
            html.P(className="card-text", **{"data-queue-log": ""}),
            html.Div(className="queue-rows", tabIndex=0, role="region", **{"data-queue": "", "aria-label": "Queue"}),
        ],
    )


def queue_brief() -> html.Div:
    """The queue in one line and a bar, where the controls are."""
    return html.Div(
        className="card queue-brief",
        hidden=True,
        children=[html.P(className="card-text"), html.Span(html.I(), className="run-bar")],
        **{"data-queue-brief": "", "role": "status"},
    )


def new_button() -> html.Button:
    return html.Button("New experiment", type="button", className="primary", **{"data-do": "experiment"})


def layout() -> html.Section:
    return parts.page(
        "tickets",
        "tickets",
        [
            parts.figure_card(
                "ticket-accuracy", "What remains, and how well it does", how=HOW_ACCURACY, size="hero wide"
            ),
            parts.figure_card("ticket-curves", "Learning, round by round", how=HOW_CURVES, size="mid"),
            parts.figure_card("ticket-stop", "When the loss is least", how=HOW_STOP, size="mid"),
            parts.figure_card("ticket-units", "Who survives?", note="first layer", how=HOW_UNITS, size="mid"),
            parts.figure_card("ticket-overlap", "Do seeds agree?", note="masks", how=HOW_OVERLAP, size="mid"),
            queue(),
        ],
        [
            parts.readout("tickets", error=True),
            queue_brief(),
            *parts.controls("exp", "quantity", "level"),
            new_button(),
        ],
    )
