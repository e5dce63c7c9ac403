"""Is it learning, and is structure appearing?"""

from dash import html
from prunescope.app.pages import parts

HOW_ACCURACY = parts.paragraphs(
    "Share of examples classified correctly after each epoch, on the training and on the held-out set."
)
HOW_LOSS = parts.paragraphs("Mean loss per example after each epoch.")
HOW_ANGLE = parts.paragraphs(
    "Median over units of the angle to the nearest of four spherical k-means centres. Layers of more than 256 "
    "units are told by 256 of them, evenly spaced. The Alignment page compares with chance."
)
HOW_RANK = parts.paragraphs(
    "exp of the entropy of the normalised singular values of the layer's weight matrix (Roy & Vetterli 2007): "
    "how many directions the layer spends its weight on."
)
HOW_SPREAD = parts.paragraphs(
    "Standard deviation of the units' norms over their mean: 0 where all units are equally strong."
)
HOW_PRUNABLE = parts.paragraphs(
    "Largest share of a layer's units that can be removed, smallest L2 norm first, before held-out accuracy first "
    "falls by more than one point of that epoch's own; all other layers whole, no retraining. 25 levels, at most 1,000 "
    "examples, measured in the background."
)


def layout() -> html.Section:
    return parts.page(
        "overview",
        "overview prunable",
        [
            parts.figure_card("accuracy", "Accuracy", how=HOW_ACCURACY, size="mid"),
            parts.figure_card("loss", "Loss", note="train dashed", how=HOW_LOSS, size="mid"),
            parts.figure_card("layer-angle", "Angle to 4 centres", note="by layer", how=HOW_ANGLE, size="low"),
            parts.figure_card("layer-rank", "Effective rank", note="by layer", how=HOW_RANK, size="low"),
            parts.figure_card("layer-spread", "Spread of norms", note="by layer", how=HOW_SPREAD, size="low"),
            parts.figure_card(
                "layer-prunable", "Prunable for one point", note="by layer, measured", how=HOW_PRUNABLE, size="low"
            ),
        ],
        [
            parts.readout("overview"),
            html.Div(
                className="card",
                children=[html.H2("Events"), html.P(id="overview-events", className="card-text")],
            ),
            parts.legend("overview", "Layers", "overview-layers"),
        ],
    )
