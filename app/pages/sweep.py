"""What does a setting do?"""

from dash import html
from prunescope.app.pages import parts
from prunescope.app.pages.tickets import new_button, queue, queue_brief

HOW_SWEEP = parts.paragraphs(
    "Every finished run of the experiment is one number and one point on the axis. Runs that agree in the setting "
    "and in what the lines are told apart by are taken together: their mean, and a band (a bar, where the setting is "
    "no number) of one standard deviation (n − 1) either side. A hollow point has one run behind it. If runs at one "
    "point differ in anything else than the seed, the line below the finding says in what.",
    "Accuracy and loss are of the last epoch, and so is what is told of a layer, which is computed when it is chosen: "
    "median angle, effective rank and spread of norms as on the Overview page; degrees closer than by chance and the "
    "z-score (negative means farther) as on Alignment; frame potential (× random), mean |cosine|, distance and angle "
    "to the unit's own initialisation and directions that differ (cosine below .99) as on Structure; variance of all "
    "paths that two components explain as on Trajectories; stable rank, knee and eigenvalues above the Marchenko–Pastur "
    "edge as on Spectrum. Pruned units are left out.",
    "What is removed or approximated has to be measured: each finished network is brought back at its last epoch and "
    "run on held-out examples, without retraining, and the picture fills in network by network. Curves of one layer "
    "have 25 levels on at most 1,000 examples, straight lines between them; all layers together, by the same share "
    "each, 49 levels on all examples; the unit that matters most and the ranks use all examples; neural collapse at "
    "most 512 training examples. What can go is the largest level before accuracy first falls by more than one point "
    "of the whole network's. Answers are kept beside the runs, so nothing is measured twice.",
    "Unit capacity ‖u − u⁰‖ and unit impact ‖v‖: Neyshabur et al. 2018 (arXiv 1805.12076).",
)
HOW_EACH = parts.paragraphs("The same runs, a line a seed: whether the effect is there in each of them.")


def layout() -> html.Section:
    return parts.page(
        "sweep",
        "sweep",
        [
            parts.figure_card("sweep", "What the setting does", how=HOW_SWEEP, size="hero wide"),
            parts.figure_card("sweep-each", "Seed by seed", how=HOW_EACH, size="mid wide"),
            queue(),
        ],
        [
            parts.readout("sweep", error=True),
            queue_brief(),
            *parts.controls("exp", "quantity"),
            *parts.asked("share", "rank", "crit"),
            *parts.controls("setting", "split"),
            new_button(),
        ],
    )
