"""Exactly these units: the accuracy without them, beside as many by norm and as many at random."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.engine.geometry import spherical_kmeans
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import LayerInfo, Run

REDUNDANCY = ("one-per-cluster", "whole-cluster", "spread")


def read_units(text: str, layer: LayerInfo) -> list[int]:
    """The units that a link names, as ``3,7,12``; what is no unit of the layer is left out."""
    found = {int(part) for part in text.split(",") if part.strip().isdigit()}
    return sorted(unit for unit in found if unit < layer.units)


class SelectionFeed:
    """Answers about the units selected in any figure."""

    answers = True
    keys = ("layer", "sel")

    def begin(self, run: Run, view: dict[str, Any]) -> tuple[LayerInfo, list[int]]:
        layer = chosen_layer(run, view["layer"])
        return layer, read_units(view["sel"], layer)

    def settled(self, memory: tuple[LayerInfo, list[int]]) -> dict[str, Any]:
        return {"layer": memory[0].name}

    def answer(
        self,
        run: Run,
        memory: tuple[LayerInfo, list[int]],
        view: dict[str, Any],
        epoch: float,
        evaluator: Evaluator,
    ) -> Iterator[dict[str, Any]]:
        layer, chosen = memory
        title = f"{units(layer, len(chosen))} of {layer.name} selected"
        blank = {"lines": ["measuring …", "", "", ""], "partial": 1.0}
        yield {"title": title, "sub": epoch_text(epoch)} | blank
        for message in evaluator.ask("selection", run=run.id, epoch=epoch, layer=layer.name, units=chosen):
            yield {
                "title": title, "lines": selection_lines(message), "sub": _certainty(message, epoch), "partial": 0.0
            }  # fmt: skip

    def templates(
        self, run: Run, memory: tuple[LayerInfo, list[int]], view: dict[str, Any], theme: Any
    ) -> dict[str, Any]:
        colours = (theme.accent, theme.muted, theme.data[0], theme.null)
        return {
            "figures": {},
            "texts": {
                "selection-title": {"$": "title", "at": "epoch"},
                "selection-sub": {"$": "sub", "at": "epoch"},
            },
            "lists": {
                "selection-lines": [
                    {"colour": colour, "text": {"$": "lines", "at": "epoch", "col": i}}
                    for i, colour in enumerate(colours)
                ]
            },
        }


def selection_lines(message: dict[str, Any]) -> list[str]:
    """What the selection costs, in four lines."""
    seen = message["seen"]
    low, high = wilson_interval(message["correct"], seen)
    share = 100 * message["correct"] / seen
    random = 100 * np.asarray(message["random"], dtype=float) / seen
    spread = (
        "measuring …" if not len(random) else f"{random.mean():.1f} % ± {random.std(ddof=1):.1f}, {len(random)} draws"
    )
    return [
        f"without them: {share:.1f} % ± {50 * float(high - low):.1f}",
        f"whole network: {100 * message['dense'] / seen:.1f} %",
        f"as many, smallest norm: {100 * message['by_norm'] / seen:.1f} %",
        f"as many at random: {spread}",
    ]


def _certainty(message: dict[str, Any], epoch: float) -> str:
    seen, total = message["seen"], message["total"]
    certainty = f"exact on {total} examples" if seen == total else f"estimate from {seen} of {total}"
    return f"{epoch_text(epoch)} · {certainty}"


def redundant_units(weights: np.ndarray, kind: str, n_clusters: int, cluster: int = 0) -> list[int]:
    """Which units a redundancy question removes.

    Parameters
    ----------
    kind : ``one-per-cluster`` removes all but the unit nearest to each centre, ``whole-cluster`` one cluster,
        ``spread`` as many units as that cluster has, taken from all clusters in turn
    cluster : which one, from 0

    Raises
    ------
    ValueError
        If the kind or the cluster is unknown.
    """
    if kind not in REDUNDANCY:
        raise ValueError(f"kind: {kind!r} is unknown. Use one of {', '.join(REDUNDANCY)}.")
    found = spherical_kmeans(weights, min(n_clusters, len(weights)), seed=0)
    members = [np.flatnonzero(found.labels == c) for c in range(int(found.labels.max()) + 1)]
    if kind == "one-per-cluster":
        kept = {int(group[np.argmin(found.angles[group])]) for group in members if len(group)}
        return [unit for unit in range(len(weights)) if unit not in kept]
    if not 0 <= cluster < len(members):
        raise ValueError(f"cluster: {cluster}, but there are clusters 0 to {len(members) - 1}.")
    if kind == "whole-cluster":
        return [int(unit) for unit in members[cluster]]
    return in_turns([list(map(int, group)) for group in members], len(members[cluster]))


def in_turns(groups: Sequence[Sequence[int]], count: int) -> list[int]:
    """``count`` members, one from each group in turn."""
    waiting = [list(group) for group in groups]
    chosen: list[int] = []
    while len(chosen) < count and any(waiting):
        for group in waiting:
            if group and len(chosen) < count:
                chosen.append(group.pop(0))
    return sorted(chosen)
