"""The criteria by name: what each removes first, what it needs, where it comes from. Needs no torch.

A name says what is removed first. The bare name removes in the direction of its literature, `first`; the
other direction is spelled out: "l2" removes the smallest L2 norm first, "l2:largest" the largest;
"activation-zeros" the unit with the largest share of zeros, "activation-zeros:smallest" the opposite.
Random has one direction.
"""

from dataclasses import dataclass, replace

from prunescope.engine.pruning.errors import unknown

OPPOSITE = {"smallest": "largest", "largest": "smallest"}


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One way to order units for removal.

    Attributes
    ----------
    name : as users type it, "base" or "base:direction"
    base : the quantity
    first : which end of the quantity goes first, "smallest" or "largest"
    quantity : what is measured, in words
    needs : of "weights", "model", "inputs", "targets", "gradients", "initial"
    greedy : the quantity is taken anew among the remaining units after each removal
    paper : where it comes from
    """

    name: str
    base: str
    first: str
    quantity: str
    needs: tuple[str, ...] = ("weights",)
    greedy: bool = False
    paper: str = ""

    @property
    def description(self) -> str:
        """One line: what is removed first."""
        if self.base == "random":
            return "units in a random order, the same for the same seed"
        anew = ", measured anew after each removal" if self.greedy else ""
        gloss = f" ({_GLOSSES[self.name]})" if self.name in _GLOSSES else ""
        return f"{self.first} {self.quantity} first{anew}{gloss}"

    @property
    def weights_only(self) -> bool:
        """Whether the weight vectors suffice, as in `scores.rank_weights`."""
        return set(self.needs) <= {"weights", "initial"}


_MODEL = ("weights", "model")
_INPUTS = ("weights", "model", "inputs")
_TARGETS = ("weights", "model", "inputs", "targets")
_LI = "Li et al. 2016 (arXiv 1608.08710)"
_BRUTZKUS = "Brutzkus & Globerson 2019 (arXiv 1810.03037)"
_SOURCES = "Sources of Redundancy in Neural Networks"

# base: (first, quantity, needs, greedy, paper)
_BASES: dict[str, tuple[str, str, tuple[str, ...], bool, str]] = {
    "l2": ("smallest", "L2 norm of the weight vector", ("weights",), False, _LI),
    "l1": ("smallest", "L1 norm of the weight vector", ("weights",), False, _LI),
    "bn-scale": (
        "smallest",
        "|scale| of the BatchNorm behind",
        _MODEL,
        False,
        "Liu et al. 2017, Network Slimming (arXiv 1708.06519)",
    ),
    "fpgm": (
        "smallest",
        "summed distance to the layer's other weight vectors",
        ("weights",),
        False,
        "He et al. 2019, FPGM (arXiv 1811.00250)",
    ),
    "lamp": (
        "smallest",
        "squared norm divided by the squared norms not smaller than it",
        ("weights",),
        False,
        "Lee et al. 2020, LAMP (arXiv 2010.07611), by units",
    ),
    "taylor": (
        "smallest",
        "|sum of weight × gradient of the loss|",
        (*_TARGETS, "gradients"),
        False,
        "Molchanov et al. 2019 (arXiv 1906.10771)",
    ),
    "activation-mean": ("smallest", "mean activation", _INPUTS, False, _LI),
    "activation-std": ("smallest", "standard deviation of the activation", _INPUTS, False, _LI),
    "activation-l1": ("smallest", "mean |activation|", _INPUTS, False, _LI),
    "activation-l2": ("smallest", "root mean square activation", _INPUTS, False, _LI),
    "activation-zeros": (
        "largest",
        "share of zero activations",
        _INPUTS,
        False,
        "Hu et al. 2016, Network Trimming (arXiv 1607.03250)",
    ),
    "frame-potential": (
        "smallest",
        "contribution to the frame potential Σ⟨ŵ_i,ŵ_j⟩²",
        ("weights",),
        True,
        _SOURCES,
    ),
    "frame-potential-raw": (
        "smallest",
        "contribution to Σ⟨w_i,w_j⟩², without normalising",
        ("weights",),
        True,
        _SOURCES,
    ),
    "inner-product": (
        "smallest",
        "contribution to Σ|⟨ŵ_i,ŵ_j⟩|",
        ("weights",),
        True,
        _SOURCES,
    ),
    "inner-product-raw": (
        "smallest",
        "contribution to Σ|⟨w_i,w_j⟩|, without normalising",
        ("weights",),
        True,
        _SOURCES,
    ),
    "center-angle": (
        "largest",
        "angle to the nearest cluster center",
        ("weights",),
        False,
        _BRUTZKUS,
    ),
    "one-per-cluster": (
        "largest",
        "place in the own cluster, counted from its center",
        ("weights",),
        False,
        _BRUTZKUS,
    ),
    "moved": ("smallest", "distance moved since initialisation", ("weights", "initial"), False, ""),
    "ablation": ("smallest", "loss of correct answers when removed alone", _TARGETS, False, ""),
    "random": ("smallest", "random number", ("weights",), False, ""),
}


# What an order amounts to, where the quantity alone does not say it.
_GLOSSES = {
    "fpgm": "those nearest the geometric median, which the others can replace",
    "frame-potential": "those least like the others",
    "frame-potential:largest": "those most like the others",
    "inner-product": "those least like the others",
    "inner-product:largest": "those most like the others",
    "center-angle": "keeps those that stand for a cluster",
    "center-angle:smallest": "keeps those that fit no cluster",
    "one-per-cluster": "one a cluster is kept to the end",
    "one-per-cluster:smallest": "the representatives go first",
    "activation-zeros": "those that are rarely active",
}


def _all() -> dict[str, Criterion]:
    found = {}
    for base, (first, quantity, needs, greedy, paper) in _BASES.items():
        bare = Criterion(
            name=base, base=base, first=first, quantity=quantity, needs=needs, greedy=greedy, paper=paper
        )
        found[base] = bare
        if base != "random":
            other = OPPOSITE[first]
            found[f"{base}:{other}"] = replace(bare, name=f"{base}:{other}", first=other)
    return found


CRITERIA: dict[str, Criterion] = _all()


def criterion_named(name: str) -> Criterion:
    """The criterion of a name; the bare direction may be spelled out too ("l2:smallest").

    Raises
    ------
    PruningError
        For an unknown name, listing the known ones.
    """
    if name in CRITERIA:
        return CRITERIA[name]
    base, _, direction = str(name).partition(":")
    if base in _BASES and base != "random" and direction == CRITERIA[base].first:
        return CRITERIA[base]
    raise unknown("criterion", name, CRITERIA)
