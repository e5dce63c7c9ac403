"""Numbers of finished runs in words: what they are called, how they and their differences are written."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from prunescope.app.feeds.words import minus

# In the order in which they are offered.
NAMES = {
    "accuracy": "accuracy",
    "best_accuracy": "best accuracy",
    "early_stop_accuracy": "accuracy at early stop",
    "early_stop_iteration": "iteration of early stop",
    "loss": "validation loss",
    "train_accuracy": "training accuracy",
    "first_accuracy": "accuracy before training",
    "macs": "multiply-adds",
    "remaining": "weights remaining",
    "iterations": "iterations",
    "epochs_to_fit": "epochs until fitted",
    "unit_capacity": "unit capacity, mean",
    "unit_impact": "unit impact, mean",
    "distance": "distance to the initialisation",
    "norm": "norm of the hidden layer",
    "angle": "angle to the initialisation",
    "hidden": "hidden units",
}
# Of a layer in the newest snapshot, by the page that shows it epoch by epoch; see `recorded`.
OF_LAYERS = {
    "angle": "median angle",
    "rank": "effective rank",
    "spread": "spread of norms",
    "closer": "degrees closer than by chance",
    "z": "alignment, z-score",
    "potential": "frame potential, × random",
    "cosine": "mean |cosine| of two units",
    "moved": "distance moved by a unit, mean",
    "turned": "angle turned by a unit, mean",
    "tilted": "principal angle to the initialisation, mean of ten",
    "groups": "groups of the similarity graph at cutoff 0.5",
    "largest": "share of units in the largest group at cutoff 0.5",
    "stable": "stable rank",
    "knee": "knee of the spectrum",
    "outside": "eigenvalues above chance",
    "directions": "separate directions",
    "explained": "variance of paths in two components",
}
# Of a layer, or of all together, as the evaluator measures it; see `finals`.
MEASURED = {
    "prunable": "share of {layer} that can go for one point",
    "pruned": "accuracy with {share} of {layer} removed",
    "fading": "mean accuracy while {layer} is removed",
    "worst": "accuracy lost with the one unit of {layer} that matters most",
    "needed": "rank of {layer} that keeps all but one point",
    "ranked": "accuracy with {layer} at rank {rank}",
}
ALL_LAYERS = "*"
# Of the last layer, on training examples.
COLLAPSE = {
    "nc1": "NC1, variability inside the classes",
    "nc2_means": "NC2, unequal norms of class means",
    "nc2_angles_means": "NC2, unequal angles of class means",
    "nc3": "NC3, classifier against class means",
    "nc4": "NC4, away from the nearest class mean",
}

SHARES = ("prunable", "pruned", "fading", "worst", "ranked", "explained", "largest", "nc4", "remaining")
DEGREES = ("angle", "closer", "turned", "tilted")


def words(name: str, view: Mapping[str, Any] | None = None) -> str:
    """A quantity, with its layer where it has one ("rank fc1"), and with what the view sets of it."""
    kind, _, layer = name.partition(" ")
    if layer and kind in MEASURED:
        share, rank = ("a share", "r") if view is None else (f"{view['share']:g} %", f"{view['rank']:g}")
        told = "all layers" if layer == ALL_LAYERS else layer
        return MEASURED[kind].format(layer=told, share=share, rank=rank)
    if layer:
        return f"{OF_LAYERS.get(kind, kind)} of {layer}"
    return NAMES.get(name) or COLLAPSE.get(name) or name.replace("_", " ")


def is_share(name: str) -> bool:
    """Whether it is written in percent; names of metrics ("val/accuracy") too."""
    return "accuracy" in name or name.partition(" ")[0] in SHARES


def shown(value: float, name: str) -> str:
    if is_share(name):
        return f"{100 * value:.1f} %"
    # From a thousand on, three digits would need an exponent.
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return minus(digits) + ("°" if name.partition(" ")[0] in DEGREES else "")


def difference(value: float, name: str) -> str:
    return f"{100 * value:.1f} points" if is_share(name) else shown(value, name)


def spread_text(sd: float, n: int, name: str) -> str:
    """What stands beside a mean over seeds."""
    return "n=1" if n == 1 or not np.isfinite(sd) else f"± {shown(sd, name).removesuffix(' %').removesuffix('°')}, n={n}"


def readout(page: str, name: str, mean: float, sd: float, n: int, note: str) -> dict[str, str]:
    """The big number of a page; see `pages.parts.readout`."""
    return {
        f"{page}-big": shown(mean, name),
        f"{page}-big-error": spread_text(sd, n, name),
        f"{page}-big-note": note,
    }


def no_readout(page: str, note: str = "") -> dict[str, str]:
    return {f"{page}-big": "–", f"{page}-big-error": "", f"{page}-big-note": note}


def finite(values: Mapping[str, Any]) -> dict[str, float]:
    """Those of the values that are numbers."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
    }
