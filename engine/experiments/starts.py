"""Initial weights other than a run's own: a fresh draw, a small net's draw, cluster centres."""

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.config import RunConfig
from prunescope.engine.data import Dataset
from prunescope.engine.experiments.live import live_layers
from prunescope.engine.experiments.masks import Mask
from prunescope.engine.geometry import spherical_kmeans
from prunescope.engine.models import build_for, state_arrays
from torch import nn

Arrays = dict[str, NDArray[Any]]
_REINIT = 10


def derived(seed: int, purpose: int) -> int:
    """A seed for one purpose of one run."""
    return int(np.random.SeedSequence([seed, 7, purpose]).generate_state(1, np.uint32)[0] % 2**31)


def fresh_weights(config: RunConfig, data: Dataset) -> Arrays:
    """Another draw of the initialisation; data order and label noise stay those of the run's seed."""
    return state_arrays(build_for(replace(config, seed=derived(config.seed, _REINIT)), data))


def scratch_weights(config: RunConfig, data: Dataset, model: nn.Module, masks: Mapping[str, Mask]) -> Arrays:
    """A fresh draw with the spread that a net of the small size would have. Liu et al. 2018.

    A masked net computes what the small one does, but its draw has the spread of the big one: with f of
    its inputs left, a layer's weights are scaled by 1/√f (for Glorot, in and out count).
    """
    weights = fresh_weights(config, data)
    for name, layer in live_layers(model, data.input_shape, masks).items():
        before = _fans(config.init, layer.inputs, layer.units * layer.kernel)
        after = _fans(config.init, layer.live_inputs, layer.live_units * layer.kernel)
        factor = sqrt(before / max(after, 1))
        weights[f"{name}.weight"] = (weights[f"{name}.weight"] * factor).astype(np.float32)
        if config.init == "default" and f"{name}.bias" in weights:
            weights[f"{name}.bias"] = (weights[f"{name}.bias"] * factor).astype(np.float32)
    return weights


def _fans(init: str, inputs: int, outputs: int) -> int:
    """What the variance of a scheme is inverse to."""
    if init.startswith("glorot"):
        return inputs + outputs
    return 1 if init in ("normal", "orthogonal") else inputs


def centres(trained: Mapping[str, NDArray[Any]], layer: str, n_clusters: int, seed: int) -> Arrays:
    """Weights of a layer of `n_clusters` units, one at each cluster centre of a trained layer.

    A centre has its cluster's direction and the mean norm of its members; its bias is their mean bias.

    References
    ----------
    Brutzkus & Globerson 2019, the small-network experiment.

    Raises
    ------
    ValueError
        If there is no such layer, or it has fewer units than clusters.
    """
    if f"{layer}.weight" not in trained:
        there = [name.removesuffix(".weight") for name in trained if name.endswith(".weight")]
        raise ValueError(f"layer {layer!r} is not in the trained net: take one of {', '.join(there)}.")
    weight = trained[f"{layer}.weight"]
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    norms = np.linalg.norm(rows, axis=1)
    clusters = spherical_kmeans(rows, n_clusters, seed=seed)
    members = [clusters.labels == cluster for cluster in range(n_clusters)]
    sizes = np.array([norms[own].mean() if own.any() else norms.mean() for own in members])
    small = {f"{layer}.weight": (clusters.centers * sizes[:, None]).reshape(n_clusters, *weight.shape[1:])}
    if f"{layer}.bias" in trained:
        bias = trained[f"{layer}.bias"]
        small[f"{layer}.bias"] = np.array([bias[own].mean() if own.any() else 0.0 for own in members])
    return {name: array.astype(np.float32) for name, array in small.items()}
