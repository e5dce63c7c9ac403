"""A training step's tensors and metrics as the records of one snapshot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import keys, records
from prunescope.engine.store.errors import StoreError
from prunescope.engine.store.layers import LayerInfo


def pack_snapshot(
    layers: Sequence[LayerInfo], epoch: int, tensors: Mapping[str, NDArray[Any]], metrics: Mapping[str, float]
) -> dict[str, records.Record]:
    """Key → record: the weight vectors of each layer, all other tensors as one bundle, the metrics.

    Raises
    ------
    StoreError
        If a declared weight is absent or of another shape, or a tensor or a metric holds no numbers.
    """
    others = dict(tensors)
    values: dict[str, records.Record] = {}
    for index, layer in enumerate(layers):
        weight = others.get(layer.weight_name)
        if weight is None or weight.shape != layer.shape:
            found = "absent" if weight is None else f"of shape {weight.shape}"
            raise StoreError(f"tensor {layer.weight_name!r} is {found}; it was declared as {layer.shape}")
        rows = np.asarray(weight).reshape(layer.units, layer.fan_in)
        values[keys.weights_key(index, epoch)] = records.pack_rows(rows, layer.dtype, index, epoch)
        # A model of another dtype also keeps its exact weights: float32 rows would change what is loaded.
        if weight.dtype == np.float32 or layer.dtype == "float16":
            del others[layer.weight_name]
    values[keys.state_key(epoch)] = records.pack_bundle(others, epoch, order=list(tensors))
    values[keys.metrics_key(epoch)] = records.pack_json(as_floats(metrics), epoch)
    return values


def as_floats(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics as plain floats; StoreError names one that is none."""
    floats = {}
    for name, value in metrics.items():
        try:
            floats[str(name)] = float(value)
        except (TypeError, ValueError):
            raise StoreError(f"metric {name!r}: {value!r} is not a number") from None
    return floats
