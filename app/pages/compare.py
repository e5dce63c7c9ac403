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


def table(component_id: str, title: str, note: str) -> html.Section:
    return html.Section(
        className="card table-card",
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
            table("compare-settings", "What differs in their settings", "all else is the same"),
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
                ],
            ),
        ],
    )
