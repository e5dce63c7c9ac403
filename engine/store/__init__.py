"""The embedded store: a folder a run, one writer, any number of readers.

    store = Store("runs")
    run_id = store.create_run({"lr": 0.1}, name="mine")
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=10)
        writer.commit(0, state_arrays(model), {})
    store.run(run_id).trajectory("conv1")

A snapshot is seen whole or not at all, and survives ``kill -9`` once `commit` returned. Nothing is evicted,
nothing is pickled, and reading a stranger's folder runs no code. Importing this package does not import torch.
"""

from prunescope.engine.store.errors import (
    EpochNotFound,
    LayerNotFound,
    NotDeterministic,
    RunDamaged,
    RunExists,
    RunLocked,
    RunNotFound,
    StoreError,
    StoreFull,
)
from prunescope.engine.store.head import Head
from prunescope.engine.store.layers import LayerInfo
from prunescope.engine.store.run import Run
from prunescope.engine.store.store import Store
from prunescope.engine.store.writer import RunWriter

__all__ = [
    "EpochNotFound",
    "Head",
    "LayerInfo",
    "LayerNotFound",
    "NotDeterministic",
    "Run",
    "RunDamaged",
    "RunExists",
    "RunLocked",
    "RunNotFound",
    "RunWriter",
    "Store",
    "StoreError",
    "StoreFull",
]
