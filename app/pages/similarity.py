"""Who is like whom?"""

from dash import html
from prunescope.app.pages import parts

HOW_GRAPH = parts.paragraphs(
    "Units are points (area grows with the norm), lines join units whose edge weight A = exp(−D²/σ²) reaches the "
    "cutoff; "
    "D = (1 − ⟨ŵᵢ, ŵⱼ⟩)/2, and σ is the mean of D over all pairs and the epochs up to the fitted one. A cutoff c "
    "asks for "
    "an inner product of at least 1 − 2σ√ln(1/c), which stands under the slider.",
    "Places come from forces: edges above the cutoff chosen by “Lay out” pull, all units repel. Each epoch starts "
    "from the "
    "places of the one before and is turned back onto it, so that units move and the picture does not.",
    "At most 3,000 lines are drawn: a maximum spanning tree, which joins whatever all lines would join, then the "
    "strongest "
    "others. How many there are in all is said above the figure; all numbers count every pair.",
    "“Activations” takes Pearson's correlation of the units' outputs, before the activation function, on training "
    "examples instead of the cosine; σ is then averaged over 5 epochs. “With” draws a second run's units in the "
    "same picture.",
    "Sources: Sources of Redundancy in Neural Networks (D² = 1 − X in its text, D = (1 − X)/2 in its code, and here); "
    "Fruchterman & Reingold 1991.",
)
HOW_COMPONENTS = parts.paragraphs(
    "Number of groups that are joined, at every cutoff, exactly: each edge of a maximum spanning tree joins two. "
    "Epoch 0 dashed. The line follows the slider."
)
HOW_WEIGHTS = parts.paragraphs(
    "Share of pairs by edge weight (bars, left axis) and the share of pairs with at least that weight (line, right "
    "axis). "
    "Grey: the weight of an orthogonal pair, exp(−1/(4σ²)).",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_SIZES = parts.paragraphs(
    "Each group at the cutoff: its size and the largest norm of a weight vector in it; Pearson's r over all groups, "
    "single units included.",
    "Source: Sources of Redundancy in Neural Networks.",
)
HOW_MATRIX = parts.paragraphs(
    "Cosines of all pairs of this run's units; units of a cluster (spherical k-means) stand side by side, the most "
    "typical "
    "first. Above 320 units each cell is the mean of a block of pairs, and the note says of how many.",
    "Source: Pinson 2026 (arXiv 2602.04832).",
)

HOW_EMBEDDING = parts.paragraphs(
    "Places in the plane from the angles between all units (by activations: the arc cosines of the outputs' "
    "correlations), by the method chosen, at the epoch for which it was asked; it does not follow the scrubber. "
    "Colours: the clusters of the weights at that epoch.",
    "t-SNE (perplexity 30, 4 × 250 iterations) and MDS (SMACOF) begin at the classical "
    "scaling and show each step; Isomap joins ten neighbours, or as many more as hold the picture together; the "
    "spectral embedding takes a "
    "Gaussian of the angle. Distances between far groups mean little in t-SNE. Choose “none” to stop one under way.",
    "Sources: van der Maaten & Hinton 2008; Tenenbaum et al. 2000; Belkin & Niyogi 2003; as in scikit-learn.",
)


def layout() -> html.Section:
    return parts.page(
        "similarity",
        "similarity groups cosines embedding",
        [
            parts.figure_card(
                "graph",
                "Similarity graph",
                note=html.Span(id="similarity-edges"),
                how=HOW_GRAPH,
                size="hero wide tallest",
            ),
            parts.figure_card(
                "embedding",
                "Another embedding",
                note=html.Span(id="similarity-embedding"),
                how=HOW_EMBEDDING,
                size="hero wide",
            ),
            parts.figure_card("components", "Groups at each cutoff", how=HOW_COMPONENTS, size="low"),
            parts.figure_card("weights", "Edge weights", how=HOW_WEIGHTS, size="low"),
            parts.figure_card("group-sizes", "Size and norm of groups", how=HOW_SIZES, size="mid"),
            parts.figure_card(
                "cosines", "Cosine matrix", note=html.Span(id="similarity-matrix"), how=HOW_MATRIX, size="mid"
            ),
        ],
        [
            parts.readout(
                "similarity",
                note="groups at this cutoff",
                error=True,
                chip="similarity-inner",
                chip_note="inner product",
            ),
            *parts.controls("cut", "by", "with"),
            html.Div(
                className="card",
                children=[
                    html.H2("Places"),
                    html.P("Kept while the cutoff moves.", className="card-text"),
                    html.Button("Lay out for this cutoff", type="button", className="small", **{"data-do": "lay"}),
                ],
            ),
            parts.legend("similarity", "Colours", "similarity-groups"),
            parts.more("k", "emb"),
        ],
    )
