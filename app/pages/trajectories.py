"""How did each filter get there?"""

from dash import html
from prunescope.app.pages import parts

HOW_PATHS = parts.paragraphs(
    "Every epoch's weight vectors, projected onto one basis: the leading principal components of the rows named "
    "in “Fit the basis on”, fitted once. Signs are fixed (the largest loading is positive). Later epochs are "
    "projected into the same basis, so no path ever jumps; “Refit” takes in what has come since.",
    "Networks of the XORD task have two weights a neuron: the plane itself is drawn, with the four patterns "
    "that Brutzkus & Globerson (2019) prove the neurons to align with.",
    "A second run chosen in “With” is drawn in the same picture; the basis is then that of both runs' rows together.",
    "The marker is the epoch shown, the line its way there; the tail says how many epochs of it are drawn.",
)
HOW_MOVED = parts.paragraphs("‖wᵢ(t) − wᵢ(0)‖ for each unit i: median, and the middle half of the units.")
HOW_EXPLAINED = parts.paragraphs(
    "Share of an epoch's variance over units that lies in each axis shown. Where it is small, distances in the "
    "picture say little about distances between weight vectors."
)


def layout() -> html.Section:
    return parts.page(
        "trajectories",
        "trajectories",
        [
            parts.figure_card("paths", "Paths of the weight vectors", how=HOW_PATHS, size="hero wide tallest"),
            parts.figure_card("moved", "Distance from init", note="median, middle half", how=HOW_MOVED, size="low"),
            parts.figure_card(
                "explained",
                "What the axes show",
                note="of each epoch's variance",
                how=HOW_EXPLAINED,
                size="low",
            ),
        ],
        [
            parts.readout("trajectories"),
            *parts.controls("basis", "dims", "colour", "tail"),
            html.Div(
                className="card",
                children=[
                    html.H2("Basis"),
                    html.P(id="trajectories-basis", className="card-text"),
                    html.Button("Refit to all epochs", type="button", className="small", **{"data-do": "refit"}),
                ],
            ),
            parts.more("k", "with"),
        ],
    )
