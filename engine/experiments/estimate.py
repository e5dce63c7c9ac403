"""What an experiment will take, told before it starts."""

from collections.abc import Sequence
from math import prod

from prunescope.engine.config import RunConfig
from prunescope.engine.data.describe import describe_dataset
from prunescope.engine.experiments.cells import Cell


def disk_bytes(cells: Sequence[Cell]) -> int | None:
    """Bytes of the snapshots and starts of all runs; None where only loading the data can tell.

    A start holds a copy of the weights and a byte for each mask entry; a kept state, for Adam, three
    copies. Imports torch, to count a network's weights without making it.
    """
    from prunescope.engine.models import model_size

    sizes: dict[tuple[object, ...], int] = {}
    total = 0
    for cell in cells:
        config = RunConfig.from_dict(cell.config, trusted=True)
        shape, classes = describe_dataset(config)
        if shape is None or classes is None or ":" in config.model:
            return None
        key = (config.model, prod(shape), classes, config.width, config.hidden)
        if key not in sizes:
            sizes[key] = model_size(
                config.model, input_shape=shape, n_classes=classes, width=config.width, hidden=config.hidden
            ).snapshot_bytes
        snapshots = 1 + -(-config.epochs // config.snapshot_every) + config.early_snapshots
        start = 1.25 if cell.treatment.get("start") else 0
        kept = 3 * len(cell.treatment.get("keep", ()))
        total += round(sizes[key] * (snapshots + start + kept))
    return total
