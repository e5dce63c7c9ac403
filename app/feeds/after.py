"""How small the network becomes: parameters, multiply-adds and latency before and after physical removal."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.joint import read_shares
from prunescope.app.feeds.pruning import pruned_together
from prunescope.app.feeds.words import chosen_layer, units
from prunescope.app.figures.template import ref
from prunescope.engine.store import LayerInfo, Run

# Levels between which sizes are read off, beside the slider.
SHOWN = 201


class AfterFeed:
    """Answers about the smaller network; its size is the same at every epoch, but measured for the one shown."""

    answers = True
    keys = ("layer", "crit", "scope", "mix")

    def begin(self, run: Run, view: dict[str, Any]) -> LayerInfo:
        return chosen_layer(run, view["layer"])

    def settled(self, memory: LayerInfo) -> dict[str, Any]:
        return {"layer": memory.name}

    def answer(
        self, run: Run, layer: LayerInfo, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        names = pruned_together(run)
        asked = {"run": run.id, "epoch": epoch, "layer": layer.name, "layers": names, "criterion": view["crit"]}
        asked |= {"scope": view["scope"], "shares": read_shares(view["mix"], run)}
        *_, found = evaluator.ask("sizes", priority=2, latency=True, **asked)
        many = {"layer": layer.units, "all": sum(one.units for one in run.layers if one.name in names)}
        count = many.get(view["scope"], 0)
        noun = units(layer) if view["scope"] == "layer" else "units"
        yield {"after": after_words(found, count, noun), "partial": 0.0}

    def templates(self, run: Run, memory: LayerInfo, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        slider = {} if view["scope"] == "mix" else {"pick": "frac", "scale": 100}
        lines = ref("after", **slider) if slider else ref("after", col=0)
        return {"figures": {}, "texts": {"pruning-after": lines}, "lists": {}}


def after_words(sizes: dict[str, Any], count: int, noun: str) -> list[str]:
    """One line for each place of the slider; with ``count`` 0, for the one mask that was measured last."""
    at = np.asarray(sizes["removed"], dtype=float)
    wanted = at[-1:] if not count else np.round(np.linspace(0, count, SHOWN))
    params, macs, seconds = (np.interp(wanted, at, sizes[name]) for name in ("params", "macs", "latency"))
    lines = []
    for gone, p, m, t in zip(wanted, params, macs, seconds, strict=True):
        head = f"{noun} {count} → {count - round(gone)} · " if count else f"{gone:.0f} {noun} fewer · "
        lines.append(
            f"{head}parameters {short(sizes['params'][0])} → {short(p)} ({fall(p, sizes['params'][0])}) · "
            f"MACs {short(sizes['macs'][0])} → {short(m)} ({fall(m, sizes['macs'][0])}) · "
            f"latency {1e3 * sizes['latency'][0]:.2f} → {1e3 * t:.2f} ms, measured for one example"
        )
    return lines


def short(count: float) -> str:
    """``266 k``, ``4.30 M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return f"{count:.0f}"


def fall(now: float, before: float) -> str:
    return f"{100 * (now / before - 1):+.0f} %".replace("-", "\N{MINUS SIGN}").replace("+0", "0")
