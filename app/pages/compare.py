"""What tells these runs apart?"""

from dash import html
from prunescope.app.pages import parts

HOW_METRIC = parts.paragraphs(
    "The ticked runs over epochs. Runs whose settings differ in the seed alone are drawn as their mean and a band of "
    "one standard deviation (n − 1) either side, as far as all of them have come; n stands beside the name."
)
HOW_EFFECT = parts.paragraphs(
    "Mean angle of random directions to the nearest of four centres, of the same number and dimension, minus that of "
    "the layer's own units: how many degrees closer they stand than by chance. 0 is chance. Where a run has no layer "
    "of this name, its first one is taken.",
    "Source: Brutzkus & Globerson 2019 (arXiv 1810.03037).",
)
HOW_MERGED = parts.paragraphs(
    "The units of the first two groups' runs in their newest snapshots: every unit's weights, scaled to length 1, are "
    "stacked and projected onto the two main directions of all of them. The note tells the mean cosine of a unit to "
    "the nearest one of the other network and, where they are as many, to the unit of the same number. “Graph of both” "
    "opens the Similarity page with the second network drawn beside the first.",
    "Source: the merged view of “Sources of Redundancy in Neural Networks”.",
)


def table(component_id: str, title: str, note: str, *, half: bool = False) -> html.Section:
    return html.Section(
        className="card table-card half" if half else "card table-card",
        children=[
            html.Div(className="card-head", children=[html.H2(title), html.Span(note, className="card-note")]),
            html.Div(
                html.Table(id=component_id, className="data"),
                className="table-scroll",
                tabIndex=0,
                role="region",
                **{"aria-label": title},
            ),
        ],
    )


def layout() -> html.Section:
    return parts.page(
        "compare",
        "compare",
        [
            parts.figure_card("compare-metric", "Over training", how=HOW_METRIC, size="hero wide"),
            parts.figure_card(
                "compare-other", "Beside it", note=html.Span(id="compare-other-note"), how=HOW_METRIC, size="mid"
            ),
            parts.figure_card("compare-effect", "Alignment", how=HOW_EFFECT, size="mid"),
            parts.figure_card(
                "compare-merged",
                "Both networks in one picture",
                note=html.Span(id="compare-merged-note"),
                how=HOW_MERGED,
                size="mid",
            ),
            table("compare-settings", "What differs in their settings", "all else is the same", half=True),
            table("compare-layers", "Layer by layer", "mean ± sd over seeds"),
        ],
        [
            parts.readout("compare", error=True),
            *parts.controls("metric"),
            html.Div(
                className="card",
                children=[
                    html.H2("Which runs"),
                    html.P(
                        "Tick runs in the list at the left. A double click on a run shows it alone.",
                        className="card-text",
                    ),
                    html.Button("Untick all", type="button", className="small", **{"data-do": "untick"}),
                    html.Button("Graph of both", type="button", className="small", **{"data-do": "both"}),
                ],
            ),
        ],
    )
