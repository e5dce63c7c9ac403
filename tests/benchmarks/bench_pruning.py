"""The accuracy curve beside the naive loop and beside Torch-Pruning's remove-and-evaluate loop, in one run.

    python tests/benchmarks/bench_pruning.py [--examples 10000] [--conv-examples 1000] [--json]

CPU time on one thread (time.process_time), the same examples, the same order, every level; counts must be
equal. Naive: units are zeroed one after another in a copy, which is evaluated whole at each level, in the
batch size that suits it best here. Torch-Pruning: its dependency graph is built once, then each step
removes one unit physically and evaluates the smaller network. Needs no download: scikit-learn's digits,
enlarged, shifted and noisy. Peak memory is the process's high-water mark above its start (Linux only).
Run it on an idle machine: the fast path lives in the caches that other processes share.
"""

import argparse
import contextlib
import copy
import ctypes
import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from prunescope.engine.models import build_model
from prunescope.engine.pruning import accuracy_curve, rank_units, stream_curve
from sklearn.datasets import load_digits
from torch import Tensor, nn


class Timing(NamedTuple):
    seconds: float  # CPU
    peak_mb: float | None
    result: Any


def measured(work: Callable[[], Any]) -> Timing:
    """CPU seconds and peak memory of one call."""
    base = _reset_peak()
    start = time.process_time()
    result = work()
    seconds = time.process_time() - start
    peak = _status("VmHWM")
    return Timing(seconds, None if base is None or peak is None else (peak - base) / 1024, result)


def _status(field: str) -> int | None:
    """A field of this process's memory status, in kB."""
    path = Path("/proc/self/status")
    if not path.exists():
        return None
    lines = [line for line in path.read_text().splitlines() if line.startswith(field + ":")]
    return int(lines[0].split()[1]) if lines else None


def _reset_peak() -> int | None:
    """Forget the high-water mark; what is in use now, in kB."""
    # What the allocator keeps of earlier work would be used again without being seen.
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def enlarged_digits(count: int, side: int, channels: int, seed: int) -> tuple[Tensor, Tensor]:
    """(count, channels, side, side) digits, shifted and noisy, and their classes."""
    found = load_digits()
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randint(0, len(found.images), (count,), generator=generator)
    small = torch.tensor(found.images, dtype=torch.float32)[picks, None] / 16
    images = F.interpolate(small, size=(side, side), mode="bilinear")
    shift = int(torch.randint(-3, 4, (1,), generator=generator))
    images = images.roll(shift, 3) + 0.1 * torch.randn(images.shape, generator=generator)
    return images.clamp(0, 1).repeat(1, channels, 1, 1), torch.tensor(found.target)[picks]


def train(model: nn.Module, inputs: Tensor, targets: Tensor, epochs: int) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), 1.2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0)).split(60):
            optimiser.zero_grad()
            F.cross_entropy(model(inputs[rows]), targets[rows]).backward()
            optimiser.step()
    return model.eval()


@torch.inference_mode()
def correct(model: nn.Module, inputs: Tensor, targets: Tensor, batch: int) -> int:
    parts = zip(inputs.split(batch), targets.split(batch), strict=True)
    return sum(int((model(x).argmax(1) == y).sum()) for x, y in parts)


def naive(
    model: nn.Module, layer: str, order: np.ndarray, inputs: Tensor, targets: Tensor, batch: int
) -> list[int]:
    twin = copy.deepcopy(model)
    module = twin.get_submodule(layer)
    counts = [correct(twin, inputs, targets, batch)]
    for unit in order.tolist():
        module.weight.data[unit] = 0
        module.bias.data[unit] = 0
        counts.append(correct(twin, inputs, targets, batch))
    return counts


def torch_pruning_loop(
    model: nn.Module, layer: str, order: np.ndarray, inputs: Tensor, targets: Tensor, batch: int
) -> list[int]:
    """Counts at levels 0 … n − 1: it cannot remove a layer's last unit."""
    import torch_pruning as tp

    twin = copy.deepcopy(model)
    module = twin.get_submodule(layer)
    remove = tp.prune_conv_out_channels if isinstance(module, nn.Conv2d) else tp.prune_linear_out_channels
    graph = tp.DependencyGraph().build_dependency(twin, example_inputs=inputs[:2])
    counts, left = [correct(twin, inputs, targets, batch)], list(range(len(order)))
    for unit in order[:-1].tolist():
        graph.get_pruning_group(module, remove, idxs=[left.index(unit)]).prune()
        left.remove(unit)
        counts.append(correct(twin, inputs, targets, batch))
    return counts


def row(
    what: str, model: nn.Module, layer: str, data: tuple[Tensor, Tensor], batch: int, target: float
) -> dict[str, Any]:
    """One line of the table."""
    order = rank_units(model, layer, "l2")
    few = (data[0][:64], data[1][:64])
    accuracy_curve(model, layer, order, *few)  # the first call pays for imports and thread pools
    ours = [measured(lambda: accuracy_curve(model, layer, order, *data)) for _ in range(3)]
    fast = min(ours, key=lambda timing: timing.seconds)
    slow = measured(lambda: naive(model, layer, order, *data, batch))
    peer = measured(lambda: torch_pruning_loop(model, layer, order, *data, batch))
    start = time.perf_counter()
    first = next(stream_curve(model, layer, order, *data))
    first_ms = 1000 * (time.perf_counter() - start)
    counts = fast.result.correct
    return {
        "what": what,
        "path": fast.result.path,
        "levels": len(order) + 1,
        "examples": len(data[1]),
        "ours s": round(fast.seconds, 3),
        "naive s": round(slow.seconds, 2),
        "peer s": round(peer.seconds, 2),
        "naive/ours": round(slow.seconds / fast.seconds, 1),
        "peer/ours": round(peer.seconds / fast.seconds, 1),
        "to reach": target,
        "differ from naive": int((counts != np.array(slow.result)).sum()),
        "differ from peer": int((counts[:-1] != np.array(peer.result)).sum()),
        "first answer ms": round(first_ms),
        "first: levels": len(first.removed),
        "first: examples": first.n_seen,
        "ours MB": fast.peak_mb and round(fast.peak_mb),
        "naive MB": slow.peak_mb and round(slow.peak_mb),
        "peer MB": peer.peak_mb and round(peer.peak_mb),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=10_000, help="for LeNet-300-100")
    parser.add_argument("--conv-examples", type=int, default=1000, help="for Conv-2, whose naive loop is slow")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # Torch-Pruning's deprecations

    lenet = build_model("lenet-300-100", input_shape=(1, 28, 28), n_classes=10, seed=0)
    train(lenet, *enlarged_digits(6000, 28, 1, seed=1), epochs=3)
    conv = build_model("conv2", input_shape=(3, 32, 32), n_classes=10, seed=0).eval()
    flat, images = (
        enlarged_digits(args.examples, 28, 1, seed=2),
        enlarged_digits(args.conv_examples, 32, 3, seed=3),
    )
    rows = [
        row("LeNet-300-100 fc1", lenet, "fc1", flat, args.examples, 60),
        row("Conv-2 second conv", conv, "conv2", images, 50, 60),
        row("Conv-2 first conv", conv, "conv1", images, 50, 4),
    ]
    if args.json:
        print(json.dumps({"torch": torch.__version__, "threads": 1, "rows": rows}, indent=1))
    else:
        for name in rows[0]:
            print(f"{name:18}" + "".join(f"{r[name]!s:>22}" for r in rows))
    return int(any(r["differ from naive"] or r["differ from peer"] for r in rows))


if __name__ == "__main__":
    sys.exit(main())
