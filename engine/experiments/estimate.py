"""What an experiment will take, told before it starts. Its functions import torch."""

import time
from collections.abc import Sequence
from math import ceil, prod

from prunescope.engine.config import RunConfig
from prunescope.engine.data.describe import describe_dataset
from prunescope.engine.experiments.cells import Cell
from prunescope.engine.experiments.checks import TRAIN_SIZES

# Examples on which every epoch is judged.
HELD_OUT = {"digits": 397, "mnist": 10_000, "fashion-mnist": 10_000, "cifar10": 10_000, "cifar100": 10_000}
# A forward pass alone is about a third of a step.
FORWARD_SHARE = 1 / 3
MEASURED_STEPS = 5
MEASURED_SECONDS = 0.5


def disk_bytes(cells: Sequence[Cell]) -> int | None:
    """Bytes of the snapshots and starts of all runs; None where only loading the data can tell.

    A start holds a copy of the weights and a byte for each mask entry; a kept state, for Adam, three
    copies. The network's weights are counted without making it.
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


def seconds_needed(cells: Sequence[Cell]) -> float | None:
    """Computing time of all runs on one core; None where only loading the data can tell.

    Some steps of each net are made on drawn inputs and measured; writing snapshots is not in it, and
    Scratch-B is counted with the epochs of the dense net.
    """
    measured: dict[tuple[object, ...], float] = {}
    total = 0.0
    for cell in cells:
        config = RunConfig.from_dict(cell.config, trusted=True)
        shape, classes = describe_dataset(config)
        size, held_out = TRAIN_SIZES.get(config.dataset), HELD_OUT.get(config.dataset)
        if shape is None or classes is None or size is None or held_out is None or ":" in config.model:
            return None
        size = min(config.train_examples or size, size)
        batch = min(config.batch_size or size, size)
        key = (config.model, shape, classes, config.width, config.hidden, config.optimizer, batch)
        if key not in measured:
            measured[key] = step_seconds(config, shape, classes, batch)
        judging = held_out / batch * FORWARD_SHARE
        total += measured[key] * (ceil(size / batch) + judging) * config.epochs
    return total


def step_seconds(config: RunConfig, input_shape: Sequence[int], n_classes: int, batch: int) -> float:
    """Time of one training step on one core, the median of a few."""
    import torch
    from prunescope.engine.models import build_model
    from prunescope.engine.training.optimizers import OPTIMIZERS

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = build_model(
            config.model, input_shape=input_shape, n_classes=n_classes, width=config.width, hidden=config.hidden
        )
        optimizer = OPTIMIZERS[config.optimizer](list(model.parameters()), config)
        inputs, targets = torch.randn(batch, *input_shape), torch.randint(n_classes, (batch,))
        times: list[float] = []
        # The first step warms up.
        while len(times) < 2 or (len(times) <= MEASURED_STEPS and sum(times) < MEASURED_SECONDS):
            begun = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
            times.append(time.perf_counter() - begun)
    finally:
        torch.set_num_threads(before)
    return sorted(times[1:])[len(times[1:]) // 2]
