"""Frame potential and mean |inner product| of every layer over epochs, against random directions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.feeds.layers import snapshot
from prunescope.app.feeds.words import chosen_layer
from prunescope.app.figures import structure as figures
from prunescope.engine.geometry import frame_summary
from prunescope.engine.store import LayerInfo, Run


@dataclass
class FramesMemory:
    layers: tuple[LayerInfo, ...]


class FramesFeed:
    """All layers of a run, one number each."""

    ahead = True
    keys: tuple[str, ...] = ()

    def begin(self, run: Run, view: dict[str, Any]) -> FramesMemory:
        chosen_layer(run, "")
        return FramesMemory(run.layers)

    def settled(self, memory: FramesMemory) -> dict[str, Any]:
        return {}

    def row(self, run: Run, memory: FramesMemory, index: int, epoch: float) -> dict[str, Any]:
        found = np.array([frame_numbers(run, layer, epoch) for layer in memory.layers])
        return {
            "fp_ratio": found[:, 0],
            "fp_share": found[:, 1],
            "fp_null": found[:, 2],
            "ip": found[:, 3],
            "ip_null": found[:, 4],
            "layer_lines": [
                f"{layer.name} · {ratio:.2f} × chance" if np.isfinite(ratio) else f"{layer.name} · no directions"
                for layer, ratio in zip(memory.layers, found[:, 0], strict=True)
            ],
        }

    def templates(self, run: Run, memory: FramesMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        names = [layer.name for layer in memory.layers]
        return {
            "figures": {
                "frame-potential": figures.frame_potentials(theme, names, view["fp"]),
                "inner-products": figures.inner_products(theme, names),
            },
            "texts": {},
            "lists": {"structure-layers": figures.layer_list(names, theme)},
        }


def frame_numbers(run: Run, layer: LayerInfo, epoch: float) -> tuple[float, float, float, float, float]:
    """FP over its expectation, FP/N², expected FP/N², mean |ip| and its expectation; nan without directions."""
    now = snapshot(run, layer, epoch)
    if now.problem:
        return (np.nan,) * 5
    n = int(now.live.sum())
    found = frame_summary(now.pairs)
    return (
        found.frame_potential / found.expected,
        found.per_pair,
        found.expected / n**2,
        found.mean_abs_inner_product,
        expected_inner_product(n, layer.fan_in),
    )


def expected_inner_product(n_units: int, fan_in: int) -> float:
    """Mean |inner product| of random directions, the diagonal included.

    E|cos| = Γ(d/2) / (√π Γ((d+1)/2)), the first absolute moment of one coordinate on the sphere.
    """
    from scipy.special import gammaln

    one = float(np.exp(gammaln(fan_in / 2) - gammaln((fan_in + 1) / 2)) / np.sqrt(np.pi))
    return (1 + (n_units - 1) * one) / n_units
