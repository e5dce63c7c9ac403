"""The engine's criteria as the pages say them."""

from prunescope.engine.pruning.criteria import CRITERIA

# Each quantity as a label at a curve has room for; the long form is the engine's.
_SHORT = {
    "l1": "L1 norm",
    "l2": "L2 norm",
    "bn-scale": "BatchNorm scale",
    "fpgm": "distance to the others",
    "lamp": "LAMP score",
    "taylor": "weight × gradient",
    "activation-mean": "mean activation",
    "activation-std": "activation spread",
    "activation-l1": "mean |activation|",
    "activation-l2": "RMS activation",
    "activation-zeros": "share of zeros",
    "frame-potential": "frame potential",
    "frame-potential-raw": "raw frame potential",
    "inner-product": "|inner product|",
    "inner-product-raw": "raw |inner product|",
    "center-angle": "angle to its centre",
    "one-per-cluster": "place in its cluster",
    "moved": "distance moved",
    "ablation": "measured loss",
}


def words(criterion: str) -> str:
    """A criterion by what it removes first, as a label has room for."""
    found = CRITERIA[criterion]
    if found.base == "random":
        return "random"
    return f"{found.first} {_SHORT.get(found.base, found.base)} first"


def choices() -> tuple[tuple[str, str], ...]:
    """Every criterion, for the picker: the literature's direction of each first."""
    names = sorted(CRITERIA, key=lambda name: ":" in name)
    return tuple((name, words(name)) for name in names if name != "random")
