"""How redundant is a layer, and how did its units grow?"""

from dash import html
from prunescope.app.pages import parts

HOW_FRAME = parts.paragraphs(
    "Frame potential FP = Σᵢⱼ⟨ŵᵢ, ŵⱼ⟩² of the N directions ŵ = w/‖w‖: N²/min(N, d) if they spread out evenly, N² if "
    "all "
    "lie on one line. Random directions in d dimensions have N + N(N−1)/d on average (grey), with a standard deviation "
    "that follows from Var(cos²) = 2(d−1)/(d²(d+2)).",
    "“× random” divides by that expectation, so that layers of any size share one axis; “/ N²” is the potential per "
    "pair.",
    "Sources: Sources of Redundancy in Neural Networks; Benedetto & Fickus 2003, Finite Normalized Tight Frames.",
)
HOW_PRODUCTS = parts.paragraphs(
    "Σᵢⱼ|⟨ŵᵢ, ŵⱼ⟩| / N², the diagonal included. Dotted: random directions, E|cos| = Γ(d/2) / (√π Γ((d+1)/2)).",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_WITHOUT = parts.paragraphs(
    "The measure of the layer without unit i, as a change in per cent: the lower a unit stands, the more of the "
    "redundancy is its own. All from one Gram matrix: M without i = M − 2 Σⱼ mᵢⱼ + mᵢᵢ.",
    "Its being redundant does not mean that accuracy stands without it: the Pruning page measures that.",
)
HOW_NORMS = parts.paragraphs("‖wᵢ‖: median, middle half, middle eight tenths; dotted the smallest and the largest.")
HOW_RIDGE = parts.paragraphs(
    "Smoothed histograms of ‖wᵢ‖ at up to 12 equally spaced epochs up to the one shown, each scaled to the same "
    "height; "
    "the first stands at the back. Gaussian kernel, Silverman's width, mirrored at 0."
)
HOW_INIT = parts.paragraphs(
    "‖wᵢ(t)‖ against the cosine of wᵢ(t) and wᵢ(0), and Pearson's correlation. Units that grow have usually turned.",
    "Source: Sources of Redundancy in Neural Networks (LeNet-300-100: r ≈ −0.9).",
)
HOW_RACE = parts.paragraphs(
    "Cosine of a unit's early weights to its direction at the epoch shown, against a = ‖w in‖ ‖w out‖ at the epoch "
    "shown; "
    "colour: ‖w in‖. If those that pointed right early have grown most, training was a race. Spearman's rank "
    "correlation.",
    "Outgoing weights are those of the next recorded layer; where its inputs are not this layer's outputs, the norm "
    "alone "
    "stands for strength, and the axis says so.",
    "Source: Pinson 2026 (arXiv 2602.04832).",
)
HOW_COLLAPSE = parts.paragraphs(
    "Of the last layer's inputs on training examples: NC1 = tr(Σ_W Σ_B†)/C, variability inside the classes; "
    "NC3 = ‖W/‖W‖ − M/‖M‖‖², classifier against class means; NC4, share of examples where the nearest class mean "
    "disagrees with the classifier. All fall to 0 as collapse completes.",
    "Source: Papyan, Han & Donoho 2020, Prevalence of neural collapse.",
)
HOW_NC2 = parts.paragraphs(
    "NC2: standard deviation over mean of ‖μ_c − μ_G‖ and of ‖w_c‖ (equal norms), and the mean over pairs of "
    "classes of "
    "|cos + 1/(C−1)| (equal, largest angles); solid for class means, dashed for the classifier.",
    "Source: Papyan, Han & Donoho 2020.",
)


def layout() -> html.Section:
    return parts.page(
        "structure",
        "structure frames collapse",
        [
            parts.figure_card("frame-potential", "Frame potential", note="by layer", how=HOW_FRAME, size="hero wide"),
            parts.figure_card("inner-products", "Mean |cosine|", note="dotted: random", how=HOW_PRODUCTS, size="low"),
            parts.figure_card("without", "Without each unit", note="against its norm", how=HOW_WITHOUT, size="low"),
            parts.figure_card("norms", "Norms", note="median, middle half", how=HOW_NORMS, size="low"),
            parts.figure_card(
                "norm-ridge", "How norms came about", note="first epoch at the back", how=HOW_RIDGE, size="low"
            ),
            parts.figure_card("to-init", "Norm and turn since epoch 0", how=HOW_INIT, size="mid"),
            parts.figure_card("race", "Race", note="early direction, late strength", how=HOW_RACE, size="mid"),
            parts.figure_card("collapse", "Neural collapse", note="last layer, measured", how=HOW_COLLAPSE, size="low"),
            parts.figure_card("collapse-equal", "Equal norms and angles", note="NC2", how=HOW_NC2, size="low"),
        ],
        [
            parts.readout(
                "structure",
                note="frame potential against random directions",
                error=True,
                chip="structure-z",
                chip_note="closed form",
            ),
            *parts.controls("fp", "measure", "early"),
            parts.legend("structure", "Layers", "structure-layers"),
            html.Div(
                className="card",
                children=[
                    html.H2("Norm and turn since epoch 0"),
                    html.P(id="structure-init", className="card-text"),
                ],
            ),
        ],
    )
