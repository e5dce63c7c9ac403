"""Speed of the training loop, as ratios measured in one run: ``python tests/benchmarks/bench_training.py``.

LeNet-300-100 with Adam 1.2e-3 and batches of 60 (Frankle & Carbin 2018) on random data of MNIST's shape, one
thread. All loops do the same work, train an epoch and evaluate once, and take turns. A ratio is of the best
times of all rounds, as ``timeit`` recommends: other work on the machine only ever adds. Turns are short and
many, for the longer a turn, the rarer one that nothing disturbed. The median over the rounds of the ratios
within a round stands behind it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.data import Dataset
from prunescope.engine.models import state_arrays, unit_layers
from prunescope.engine.store import Store
from prunescope.engine.training import job as job_module
from prunescope.engine.training import journal as journal_module
from prunescope.engine.training.control import Control
from prunescope.engine.training.environment import settled
from prunescope.engine.training.job import Job, new_job
from prunescope.engine.training.journal import Journal
from prunescope.engine.training.loop import fit
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

BATCH = 60
LR = 1.2e-3
CONFIG = RunConfig(
    dataset="mnist", model="lenet-300-100", epochs=1, batch_size=BATCH, lr=LR, threads=1, checkpoint_every=1
)


def mnist_like(n_train: int, n_val: int) -> Dataset:
    """Random images of MNIST's shape."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_train + n_val, 1, 28, 28, generator=generator)
    y = torch.randint(10, (n_train + n_val,), generator=generator)
    return Dataset(
        name="random",
        train_x=x[:n_train],
        train_y=y[:n_train],
        val_x=x[n_train:],
        val_y=y[n_train:],
        class_names=tuple("0123456789"),
    )


class Silent(Journal):
    """Measures as the journal does, and writes nothing."""

    def __init__(self, job: Job) -> None:
        super().__init__(writer=NoWriter(), job=job)  # type: ignore[arg-type]

    def snapshot(self, job: Job, rows: Tensor | None = None) -> None:
        # The initialisation is evaluated once a run, not once an epoch: the other loops do not do it.
        if rows is not None:
            super().snapshot(job, rows)

    def is_checkpoint_due(self, job: Job) -> bool:
        return False

    def checkpoint(self, job: Job) -> None:
        pass


class NoWriter:
    """Takes everything and keeps nothing."""

    def commit(self, epoch: float, tensors: object, metrics: object) -> int:
        return 0


def ours(job: Job) -> None:
    """The product's loop, without recording."""
    job.step = 0
    fit(job, Silent(job), Control(list))


def bare(model: nn.Module, optimizer: torch.optim.Optimizer, data: Dataset) -> None:
    """What one writes by hand: nothing but the training and an evaluation."""
    for batch in torch.randperm(len(data.train_x)).split(BATCH):
        loss = functional.cross_entropy(model(data.train_x[batch]), data.train_y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    evaluate(model, data)


def usual(model: nn.Module, optimizer: torch.optim.Optimizer, data: Dataset) -> None:
    """The loop of the tutorials."""
    loader = DataLoader(TensorDataset(data.train_x, data.train_y), batch_size=BATCH, shuffle=True)
    total = 0.0
    for inputs, targets in loader:
        loss = functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    evaluate(model, data)


@torch.no_grad()
def evaluate(model: nn.Module, data: Dataset) -> float:
    model.eval()
    correct = sum(
        (model(inputs).argmax(1) == targets).sum().item()
        for inputs, targets in zip(data.val_x.split(1000), data.val_y.split(1000), strict=True)
    )
    model.train()
    return correct / len(data.val_y)


def compare_loops(data: Dataset, rounds: int) -> dict[str, list[float]]:
    """CPU seconds an epoch of each loop, by round."""
    nets = {name: new_job(CONFIG) for name in ("ours", "bare", "usual", "usual, fused Adam")}
    loops = {
        "ours": lambda job: ours(job),
        "bare": lambda job: bare(job.model, job.optimizer, data),
        "usual": lambda job: usual(job.model, plain[id(job)], data),
        "usual, fused Adam": lambda job: usual(job.model, job.optimizer, data),
    }
    plain = {id(job): torch.optim.Adam(job.model.parameters(), lr=LR) for job in nets.values()}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        order = list(loops) if turn % 2 else list(reversed(loops))
        for name in order:
            begun = time.process_time()
            loops[name](nets[name])
            seconds[name].append(time.process_time() - begun)
    # The first round warms up caches and lazy imports.
    return {name: times[1:] for name, times in seconds.items()}


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float]:
    """Best time against best time, and the median of the rounds' ratios."""
    by_round = (one / other for one, other in zip(theirs, ours, strict=True))
    return min(theirs) / min(ours), statistics.median(by_round)


class Unrecorded(Silent):
    """Measures the initialisation as well: all that a recorded run does but the recording."""

    def snapshot(self, job: Job, rows: Tensor | None = None) -> None:
        Journal.snapshot(self, job, rows)


class Watch:
    """Sums the wall time that the training thread spends in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return act(*given, **named)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def recorded_and_not(folder: str, rounds: int, epochs: int = 2) -> tuple[list[tuple[float, float]], list[float]]:
    """Recording and not, by round: wall seconds an epoch with every epoch recorded and checkpoints written, and without;
    and the share of its wall time that the training thread itself spent on what only a recorded run does.

    The first compares two trainings, and is as noisy as the machine; the second compares a training with itself.
    """
    store, config = Store(folder), replace(CONFIG, epochs=epochs)
    shares = []

    def recorded() -> float:
        job, watch = new_job(config), Watch()
        with store.writer(store.create_run(config.to_dict(), name="recorded")) as writer:
            writer.declare(unit_layers(job.model), total_epochs=epochs)
            for name in ("commit", "save_checkpoint", "set_state", "requests"):
                setattr(writer, name, watch(getattr(writer, name)))
            copies = {name: getattr(journal_module, name) for name in ("state_arrays", "to_bytes")}
            for name, act in copies.items():
                setattr(journal_module, name, watch(act))
            try:
                seconds = timed(lambda: fit(job, Journal(writer, job), Control(writer.requests)))
            finally:
                for name, act in copies.items():
                    setattr(journal_module, name, act)
        shares.append(watch.seconds / epochs / seconds)
        return seconds

    def unrecorded() -> float:
        job = new_job(config)
        return timed(lambda: fit(job, Unrecorded(job), Control(list)))

    def timed(train: Callable[[], object]) -> float:
        begun = time.perf_counter()
        train()
        return (time.perf_counter() - begun) / epochs

    found = []
    for turn in range(rounds + 1):
        seconds = {act: act() for act in ((recorded, unrecorded) if turn % 2 else (unrecorded, recorded))}
        found.append((seconds[recorded], seconds[unrecorded]))
    # The first round warms up caches.
    return found[1:], shares[1:]


def large_layer(folder: str, repeats: int = 20) -> tuple[float, float]:
    """Milliseconds to record one layer of 512 × 4608: median wall time and median CPU time of the thread."""
    store = Store(folder)
    model = nn.Sequential(nn.Conv2d(512, 512, 3, bias=False))
    wall, cpu = [], []
    with store.writer(store.create_run({}, name="large")) as writer:
        writer.declare(unit_layers(model), total_epochs=repeats)
        for epoch in range(repeats):
            begun, begun_cpu = time.perf_counter(), time.thread_time()
            writer.commit(float(epoch), state_arrays(model), {"loss": 0.0})
            wall.append(time.perf_counter() - begun)
            cpu.append(time.thread_time() - begun_cpu)
    return 1000 * statistics.median(wall), 1000 * statistics.median(cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2_400, help="of the loop comparison")
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    data = mnist_like(options.examples, options.examples // 6)
    job_module.load_for = lambda config, progress=None: data
    with settled(threads=1), tempfile.TemporaryDirectory() as folder:
        seconds = compare_loops(data, options.rounds)
        full = mnist_like(60_000, 10_000)
        job_module.load_for = lambda config, progress=None: full
        pairs, shares = recorded_and_not(folder, rounds=9)
        layer = large_layer(folder)
    for name, times in seconds.items():
        print(f"{name:18} {1000 * min(times):8.1f} ms of CPU an epoch of {options.examples:,} examples, at best")
    recorded, unrecorded = zip(*pairs, strict=True)
    print(f"{'recorded':18} {1000 * min(recorded):8.1f} ms an epoch of 60,000 examples, wall time, at best")
    print(f"{'not recorded':18} {1000 * min(unrecorded):8.1f} ms")
    print()
    print(f"{'promise':64}{'to reach':>12}{'measured':>10}{'median':>10}")
    for words, name, wanted in (
        ("training loop against the usual DataLoader loop", "usual", "≥ 1.5×"),
        ("  the same with our fused Adam in the DataLoader loop", "usual, fused Adam", "–"),
        ("training loop against a hand-written bare loop", "bare", "≥ 0.97×"),
    ):
        best, median = ratio(seconds[name], seconds["ours"])
        print(f"{words:64}{wanted:>12}{best:>9.2f}×{median:>9.2f}×")
    best, median = (100 * (one - 1) for one in ratio(recorded, unrecorded))
    words = "recording every epoch against not recording, wall time"
    print(f"{words:64}{'≤ 2%':>12}{best:>+9.2f}%{median:>+9.2f}%")
    words = "  the training thread's own share of it, best and median round"
    print(f"{words:64}{'≤ 2%':>12}{100 * min(shares):>9.2f}%{100 * statistics.median(shares):>9.2f}%")
    words = "one 512×4608 layer on the training thread (its CPU time)"
    print(f"{words:64}{'≤ 50 ms':>12}{f'{layer[0]:.0f} ({layer[1]:.0f}) ms':>20}")


if __name__ == "__main__":
    main()
