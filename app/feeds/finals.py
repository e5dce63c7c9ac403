"""Numbers of finished networks that only measuring can tell: what is asked of each, and what of the answer is drawn."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.feeds.lowrank import enough_rank
from prunescope.app.feeds.pruning import pruned_together
from prunescope.app.feeds.quantities import ALL_LAYERS, COLLAPSE, MEASURED
from prunescope.app.feeds.surface import limit_of, shares_of
from prunescope.app.measured import Question, question
from prunescope.engine.store import Run

View = Mapping[str, Any]
Answer = Mapping[str, Any]


def _curve(number: Callable[[np.ndarray, np.ndarray, View], float]) -> Callable[[Answer, View], float]:
    return lambda answer, view: number(*shares_of(answer), view)


def _worst(answer: Answer, view: View) -> float:
    return float(answer["dense"] - min(answer["correct"])) / float(answer["seen"])


def _rank_needed(answer: Answer, view: View) -> float:
    return float(enough_rank(np.asarray(answer["k"]), np.asarray(answer["correct"]) / answer["total"]))


class Kind(NamedTuple):
    """One quantity.

    Attributes
    ----------
    ask : question of the evaluator
    sets : view keys that it hangs on
    number : of the last answer and the view
    """

    ask: str
    sets: tuple[str, ...]
    number: Callable[[Answer, View], float]


KINDS: dict[str, Kind] = {
    "prunable": Kind("sensitivity", ("crit",), _curve(lambda share, accuracy, view: limit_of(share, accuracy))),
    "pruned": Kind(
        "sensitivity", ("share", "crit"),
        _curve(lambda share, accuracy, view: float(np.interp(view["share"] / 100, share, accuracy))),
    ),
    "fading": Kind(
        "sensitivity", ("crit",), _curve(lambda share, accuracy, view: float(np.trapezoid(accuracy, share)))
    ),
    "worst": Kind("ablation", (), _worst),
    "needed": Kind("low_rank_swap", (), _rank_needed),
    "ranked": Kind("low_rank_swap", ("rank",), lambda answer, view: answer["correct"][0] / answer["total"]),
}  # fmt: skip
# What can be asked of all layers at once: they lose the same share each.
TOGETHER = ("prunable", "pruned", "fading")


def is_measured(quantity: str) -> bool:
    kind, _, layer = quantity.partition(" ")
    return quantity in COLLAPSE or bool(layer and kind in MEASURED)


def sets(quantity: str) -> tuple[str, ...]:
    """View keys that a quantity hangs on besides the runs."""
    kind, _, layer = quantity.partition(" ")
    return KINDS[kind].sets if layer and kind in KINDS else ()


def offered(layers: list[str]) -> list[tuple[str, str]]:
    """(quantity, heading) of all that can be measured of networks with these layers."""
    return [
        *((f"{kind} {layer}", layer) for layer in layers for kind in KINDS),
        *((f"{kind} {ALL_LAYERS}", "all layers together") for kind in TOGETHER),
        *((name, "last layer, neural collapse") for name in COLLAPSE),
    ]


def asked_about(run: Run, quantity: str, view: View) -> Question | None:
    """What to ask for a quantity; None where the run has no such layer."""
    kind, _, layer = quantity.partition(" ")
    if quantity in COLLAPSE:
        return question(run, "collapse", {})
    found = KINDS[kind]
    if layer == ALL_LAYERS:
        return question(run, "together", {"layers": pruned_together(run), "criterion": view["crit"]})
    if layer not in [info.name for info in run.layers]:
        return None
    details: dict[str, Any] = {"layers": [layer]} if found.ask == "sensitivity" else {"layer": layer}
    if "crit" in found.sets:
        details["criterion"] = view["crit"]
    if "rank" in found.sets:
        details["ranks"] = [int(view["rank"])]
    return question(run, found.ask, details)


def number_in(answer: Answer, quantity: str, view: View) -> float:
    """The number in the last answer; nan where there is none in it.

    Raises
    ------
    ValueError
        With the reason for which this network cannot be measured.
    """
    if "problem" in answer:
        raise ValueError(str(answer["problem"]))
    try:
        told = answer[quantity] if quantity in COLLAPSE else KINDS[quantity.partition(" ")[0]].number(answer, view)
        return np.nan if told is None else float(told)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        # The file it was kept in may be a stranger's.
        return np.nan
