"""What can be removed, and since when?"""

from typing import Any

from dash import html
from prunescope.app.pages import parts

HOW_CURVE = parts.paragraphs(
    "Accuracy on held-out examples, measured with the first m units of an order removed, for every m. A removed unit "
    "contributes nothing to the next layer: its weights, its bias and its BatchNorm entry are gone; units that a "
    "residual sum ties together go together.",
    "The counts equal those of evaluating the masked network at each level. They are found faster because the next "
    "layer is linear in this one's outputs: its input is built up unit by unit from the fully pruned network, and "
    "only what follows is run again. Where the network's graph does not allow that, a slower path is taken, and said.",
    "A first estimate, at some levels and from 256 examples, shows at once with its 95 % Wilson interval, and is refined "
    "until all levels and all held-out examples are counted: then ± says how far other examples may differ. Criteria "
    "that look at data rank on training examples. Grey: 5 random orders, mean ± sd.",
    "“Per layer” removes each layer's own share, all at once; the curves are then those of one layer at a time. “All "
    "layers” takes the same share of each. The last layer is left out: its units are the classes.",
    "Sources: Li et al. 2016 (arXiv 1608.08710); Wilson 1927; Frankle & Carbin 2018 for the random control.",
)
HOW_ABLATION = parts.paragraphs(
    "Accuracy lost, in points, when one unit is removed and all others stay; measured on all held-out examples. Units "
    "stand in the order in which the criterion removes them; grey ones are gone at the slider's share. If a criterion "
    "is good, bars rise from left to right."
)
HOW_SURFACE = parts.paragraphs(
    "For every recorded epoch a coarse curve (25 levels, at most 1,000 held-out examples) of this layer and order. The "
    "line is the largest share that can go before accuracy first falls by more than one point of that epoch's own."
)
HOW_POTENTIAL = parts.paragraphs(
    "FP / n² = Σᵢⱼ⟨ŵᵢ, ŵⱼ⟩² / n² of the n units that are left at each level of the same order: 1 if all point one way, "
    "1/n if all are orthogonal. Dotted: its expectation for random directions, (n + n(n−1)/d) / n².",
    "Sources of Redundancy in Neural Networks; Benedetto & Fickus 2003 for the frame potential.",
)
HOW_LAYERS = parts.paragraphs(
    "One layer pruned at a time, all others whole, no retraining (Li et al. 2016, section 3.2): 25 levels, at most "
    "1,000 held-out examples. The last layer is left out: its units are the classes."
)


TAKE = (
    ("mask-json", "Save mask (JSON)"),
    ("mask-state", "Save mask (PyTorch)"),
    ("model", "Export smaller model"),
)
REDUNDANT = (
    ("one-per-cluster", "All but one of each cluster"),
    ("whole-cluster", "One whole cluster"),
    ("spread", "As many, spread over clusters"),
)


def layout() -> html.Section:
    return parts.page(
        "pruning",
        "pruning alone after surface sensitivity",
        [
            parts.figure_card("prune", "Accuracy while units are removed", how=HOW_CURVE, size="hero wide"),
            parts.figure_card(
                "ablation",
                "Each unit alone",
                note=[html.Span(id="ablation-note"), _lasso("ablation")],
                how=HOW_ABLATION,
                size="low wide",
            ),
            parts.figure_card(
                "surface",
                "Prunable since when?",
                note=html.Span(id="pruning-surface-note"),
                how=HOW_SURFACE,
                size="low",
            ),
            parts.figure_card(
                "sensitivity", "Layer by layer", note=html.Span(id="sensitivity-note"), how=HOW_LAYERS, size="low"
            ),
            parts.figure_card(
                "potential",
                "Frame potential along the way",
                note=html.Span(id="potential-note"),
                how=HOW_POTENTIAL,
                size="low wide",
            ),
        ],
        [
            _readout(),
            *parts.controls("frac"),
            html.Div(id="mix", className="mix"),
            *parts.controls("crit", "scope", "xaxis", "loss"),
            _card("After removal", [html.P(id="pruning-after", className="card-text")], "take", TAKE),
            _card(
                "Is it redundant?",
                [
                    html.P(
                        "Select, and read the accuracy without them beside as many at random:", className="card-text"
                    )
                ],
                "redundant",
                REDUNDANT,
            ),
            parts.more("also", "k"),
        ],
    )


def _readout() -> html.Div:
    """The one big number; exact and estimate are told apart by word, sign and outline, not by colour alone."""
    return html.Div(
        className="card readout",
        children=[
            html.Div(
                className="big-line",
                children=[
                    html.Span(id="pruning-big", className="big"),
                    html.Span(id="pruning-big-error", className="big-error"),
                ],
            ),
            html.P(id="pruning-big-note", className="big-note"),
            html.P(
                className="big-note sure",
                children=[
                    html.Span(id="pruning-exact", className="chip"),
                    html.Span(id="pruning-estimate", className="chip estimate"),
                    html.Span(id="pruning-path"),
                ],
            ),
        ],
    )


def _card(title: str, text: list[Any], act: str, buttons: tuple[tuple[str, str], ...]) -> html.Div:
    return html.Div(
        className="card",
        children=[
            html.H2(title),
            *text,
            html.Div(
                className="stack",
                children=[
                    html.Button(words, type="button", className="small", **{"data-do": act, "data-kind": kind})
                    for kind, words in buttons
                ],
            ),
            html.P("A mask shrinks nothing; the smaller model does.", className="card-text after")
            if act == "take"
            else None,
        ],
    )


def _lasso(figure: str) -> html.Button:
    return html.Button(
        "lasso to remove exactly these",
        type="button",
        className="ask lasso",
        **{"data-do": "lasso", "data-of": figure, "aria-pressed": "false"},
    )
