"""Do weight vectors collapse onto few directions?"""

from dash import html
from prunescope.app.pages import parts

HOW_ANGLES = parts.paragraphs(
    "Each unit's incoming weights are one vector wᵢ. Spherical k-means (10 starts, seed 0) finds k directions; "
    "the bars count the angles θᵢ = ∠(wᵢ, c) to the nearest of them.",
    "Any vectors stand close to some of k fitted centres, so chance has its own distribution: the same number of "
    "random directions in the same dimension, clustered the same way, 20 times (grey band, mean ± 2 sd).",
    "Effect = mean angle − mean angle of random directions. z = effect / sd over the draws. "
    "Below |z| = 3 no finding is claimed.",
    "“By norm” counts a unit in proportion to its norm; the null is then weighted by the same norms.",
    "Source: Brutzkus & Globerson 2019, Why do Larger Models Generalize Better? (arXiv 1810.03037), MNIST experiment.",
)
HOW_RIDGE = parts.paragraphs(
    "The same distribution as above, smoothed with a Gaussian of 2.5°, at up to 14 equally spaced epochs from the "
    "first to the one shown: the first stands at the back. The scrubber below has all epochs; none is left out there."
)
HOW_SIZES = parts.paragraphs(
    "Units per cluster at each epoch. The clustering of an epoch is matched to that of the epoch before "
    "(Hungarian method on the cosines of the centres), so that a colour keeps its meaning."
)


def layout() -> html.Section:
    return parts.page(
        "alignment",
        "alignment",
        [
            parts.figure_card("angles", "Angle to the nearest cluster centre", how=HOW_ANGLES, size="hero wide"),
            parts.figure_card("ridge", "How it came about", note="first epoch at the back", how=HOW_RIDGE, size="low"),
            parts.figure_card("sizes", "Cluster sizes", note="matched from epoch to epoch", how=HOW_SIZES, size="low"),
        ],
        [
            parts.readout(
                "alignment",
                note="mean angle against random directions",
                error=True,
                chip="alignment-z",
                chip_note="20 simulated draws",
            ),
            *parts.controls("k", "pct", "weight", "against"),
            parts.legend("alignment", "Clusters", "alignment-clusters"),
            parts.more("normalise", "with"),
        ],
    )
