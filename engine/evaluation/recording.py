"""How much room a run will take, told before it starts."""

from collections.abc import Iterator
from typing import Any

from prunescope.engine.config import RunConfig
from prunescope.engine.data.describe import describe_dataset
from prunescope.engine.models import model_size

# What every run keeps besides its snapshots: the reserve for a full disk, and two checkpoints.
RESERVE_BYTES = 2 << 20
CHECKPOINTS = 2
# Numbers that a checkpoint holds per weight: the weight itself and the optimiser's moments.
CHECKPOINT_COPIES = {"adam": 3, "adamw": 3, "sgd": 2}


def recording(subjects: object, ask: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Parameters, snapshots and bytes of a run with the settings in ``ask["config"]``.

    Raises
    ------
    ConfigError, ValueError
        If the settings cannot be used.
    """
    config = RunConfig.from_dict(ask["config"])
    shape, classes = describe_dataset(config)
    if shape is None or classes is None:
        raise ValueError(f"{config.dataset}: only loading it tells how large the network will be.")
    size = model_size(config.model, input_shape=shape, n_classes=classes, width=config.width, hidden=config.hidden)
    snapshots = 1 + -(-config.epochs // config.snapshot_every) + config.early_snapshots
    each = size.snapshot_bytes / (2 if config.record_dtype == "float16" else 1)
    checkpoints = CHECKPOINTS * CHECKPOINT_COPIES[config.optimizer] * size.snapshot_bytes
    yield {
        "parameters": size.parameters,
        "snapshots": snapshots,
        "bytes": round(snapshots * each + checkpoints + RESERVE_BYTES),
    }
