"""How many directions does a layer use?"""

from dash import html
from prunescope.app.pages import parts

HOW_SCREE = parts.paragraphs(
    "Singular values sᵢ of the layer's weight matrix W (units × inputs), at up to 8 equally spaced epochs up to the "
    "one "
    "shown. Grey: √λ₊, where the largest singular value of a matrix of independent entries of the same size would lie.",
    "Effective rank: exp of the entropy of sᵢ/Σs (Roy & Vetterli 2007).",
    "Sources: Sources of Redundancy in Neural Networks; Marchenko & Pastur 1967.",
)
HOW_DENSITY = parts.paragraphs(
    "Eigenvalues λ = s² of WWᵀ, counted in bars that are equally wide on the logarithmic axis. Grey: how many the "
    "Marchenko–Pastur law expects in each bar for independent entries with the layer's root mean square σ; its "
    "edges are "
    "σ²(√N ± √d)².",
    "Sources: Marchenko & Pastur 1967; Martin & Mahoney 2018.",
)
HOW_REBUILT = parts.paragraphs(
    "RE_k / RE_0 with RE_k = Σ sᵢ² over i > k: the share of weight² that the best approximation of rank k loses. "
    "The knee is the k that maximises 1 − k/r − RE_k/RE_0, with r = min(N, d), on which it depends.",
    "Source: Sources of Redundancy in Neural Networks; Eckart & Young 1936.",
)
HOW_SWAP = parts.paragraphs(
    "The layer's weights are replaced by W_k, its best approximation of rank k, and the accuracy on all held-out "
    "examples "
    "is measured, with its 95 % Wilson interval. Biases and all other layers stay. Nothing is retrained.",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_RANKS = parts.paragraphs(
    "Effective rank exp(−Σ pᵢ log pᵢ), pᵢ = sᵢ/Σs (Roy & Vetterli 2007); stable rank ‖W‖²_F / s₁² (dashed)."
)
HOW_SPLIT = parts.paragraphs(
    "Units whose norm at the fitted epoch lies above the cutoff, and all others: singular values of each group's own "
    "matrix at the epoch shown. “Refit” moves the fitted epoch to the newest.",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_RESIDUALS = parts.paragraphs(
    "‖w − Pw‖ / ‖w‖, the part of each weight vector outside the r strongest input directions of the fitted epoch "
    "(least squares): median, and the middle half in grey. Random directions stand at √(1 − r/d).",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_TOP = parts.paragraphs(
    "As many units of largest norm as lie above the cutoff: norm against the mean cosine to the others, the part "
    "outside "
    "the trained subspace, or the mean cosine of the parts inside it; Pearson's r with its two-sided p.",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_ANGLES = parts.paragraphs(
    "Principal angles between the spans of the r strongest input directions of the epoch shown and of "
    "another (epoch 0, unless chosen under “More controls”), or of the same layer of the run chosen in “With”, at the "
    "same epoch. Grey: mean of 8 pairs of random subspaces of r in d "
    "dimensions. Two networks of different seeds share no order of units, but they may share a subspace.",
    "Sources: Björck & Golub 1973; Sources of Redundancy in Neural Networks.",
)
HOW_JOINT = parts.paragraphs(
    "Singular value decomposition of both weight matrices stacked: each bar is a direction of the input space, its "
    "height "
    "the share of all weight² along it, its colours whose weight it is. One colour: a direction that only one uses.",
    "Source: Sources of Redundancy in Neural Networks.",
)


def layout() -> html.Section:
    return parts.page(
        "spectrum",
        "spectrum lowrank pair",
        [
            parts.figure_card("scree", "Singular values", note="pale: earlier epochs", how=HOW_SCREE, size="hero wide"),
            parts.figure_card("density", "Eigenvalues and noise", how=HOW_DENSITY, size="mid"),
            parts.figure_card(
                "swap",
                "Accuracy at rank k",
                note=html.Span(id="spectrum-swap"),
                how=HOW_SWAP,
                size="mid",
            ),
            parts.figure_card("rebuilt", "Reconstruction error", note="share of weight²", how=HOW_REBUILT, size="low"),
            parts.figure_card("ranks", "Ranks over epochs", how=HOW_RANKS, size="low"),
            parts.figure_card("split", "Large and small units", note="by norm", how=HOW_SPLIT, size="low"),
            parts.figure_card(
                "residuals", "Outside the trained subspace", note="medians", how=HOW_RESIDUALS, size="low"
            ),
            parts.figure_card("top", "Units of largest norm", how=HOW_TOP, size="mid"),
            parts.figure_card(
                "angles-between",
                "Angles between subspaces",
                note=html.Span(id="spectrum-pair"),
                how=HOW_ANGLES,
                size="mid",
            ),
            parts.figure_card("joint", "Joint directions", note="of both together", how=HOW_JOINT, size="low wide"),
        ],
        [
            parts.readout(
                "spectrum",
                note="directions in use (effective rank)",
                error=True,
                chip="spectrum-knee",
                chip_note="knee of the reconstruction error",
            ),
            *parts.controls("rank", "cutoff", "top", "with"),
            html.Div(
                className="card",
                children=[
                    html.H2("Trained subspace"),
                    html.P("Fitted once, then kept while epochs come in.", className="card-text"),
                    html.Button("Refit to the newest epoch", type="button", className="small", **{"data-do": "refit"}),
                ],
            ),
            parts.more("than"),
        ],
    )
