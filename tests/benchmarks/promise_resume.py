"""Promises kept about training: killed and resumed workers, compared with one that was never interrupted.

Real worker processes are killed with SIGKILL at random moments while a reader polls, one to three times a run.
What is left must be, bit for bit, what the uninterrupted training left: the last checkpoint (weights, optimiser,
schedule, random states, data order) and every snapshot with its metrics.
"""

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from promise_table import progress, row
from prunescope.engine.launch import start_worker
from prunescope.engine.store import Run, Store, checkpoints

# All that has a state: Adam, a schedule, and in the second one BatchNorm. Dropout and foreign generators are
# in tests/engine/training/test_checkpoint.py, which leave out each part of it in turn.
CONFIG = {
    "model": "conv2", "width": 0.0625, "epochs": 30, "threads": 1, "train_examples": 256,
    "schedule": "cosine", "warmup_epochs": 2.0, "early_snapshots": 4, "label_noise": 0.2,
    "min_epoch_seconds": 0.03,
}  # fmt: skip
BATCHNORM = CONFIG | {"model": "wrn-10-1", "width": 0.25, "epochs": 12, "train_examples": 128}
LIMIT = 6.0


@dataclass
class Tally:
    """What was counted."""

    other_states: list[str] = field(default_factory=list)
    other_snapshots: list[str] = field(default_factory=list)
    kills: int = 0
    polls: list[int] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    seconds_to_state: list[float] = field(default_factory=list)


class Reader(threading.Thread):
    """Polls the newest snapshot of a run without rest."""

    def __init__(self, run: Run, tally: Tally) -> None:
        super().__init__(daemon=True)
        self._run, self._tally, self.over, self.polls = run, tally, threading.Event(), 0

    def run(self) -> None:
        names: set[str] = set()
        while not self.over.wait(0.002):
            epochs = self._run.epochs
            if not len(epochs):
                continue
            arrays = self._run.arrays(epochs[-1])
            names = names or set(arrays)
            whole = set(arrays) == names and all(np.isfinite(array).all() for array in arrays.values())
            metrics = self._run.metrics()
            whole = whole and all(np.isfinite(values[: len(epochs)]).all() for values in metrics.values())
            self.polls += 1
            if not whole:
                self._tally.halves.append(f"{self._run.id} epoch {epochs[-1]}")


def differences(run: Run, other: Run) -> list[str]:
    """In what two runs differ by as much as a bit."""
    if run.epochs.tolist() != other.epochs.tolist():
        return [f"epochs {run.epochs.tolist()} and {other.epochs.tolist()}"]
    found = []
    for epoch in run.epochs:
        arrays, others = run.arrays(epoch), other.arrays(epoch)
        found += [
            f"{name} at epoch {epoch:g}"
            for name in others
            if not np.array_equal(arrays[name], others[name], equal_nan=True)
        ]
    metrics, others = run.metrics(), other.metrics()
    return found + [name for name in others if not np.array_equal(metrics[name], others[name])]


def last_checkpoint(run: Run) -> tuple[float, bytes]:
    """Epoch and bytes of the state at the end."""
    kept = checkpoints.load(run.path / checkpoints.FOLDER)
    assert kept is not None, run.log_tail()
    return kept


def uninterrupted(store: Store, config: dict[str, object]) -> Run:
    """The twin that nobody kills."""
    run = store.run(store.create_run(config, name="straight"))
    start_worker(run, store, trusted=False, tie=False).wait()
    assert run.status == "done", run.log_tail()
    return run


def killed(store: Store, config: dict[str, object], kills: int, rng: random.Random, tally: Tally) -> Run:
    """Train with so many kills; each comes at a random moment after the worker has done something new."""
    run = store.run(store.create_run(config, name="killed"))
    reader = Reader(run, tally)
    reader.start()
    for _ in range(kills):
        process = start_worker(run, store, trusted=False, tie=False)
        seen = run.head.version
        # From the first moment under the lock to deep inside the training.
        patience = rng.choice([1, 2, rng.randint(2, 20)])
        while process.poll() is None and run.head.version < seen + patience:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.wait()
        begun = time.monotonic()
        tally.kills += 1
        while run.status not in ("interrupted", "done") and time.monotonic() - begun < 60:
            time.sleep(0.005)
        tally.seconds_to_state.append(time.monotonic() - begun)
        if run.status == "done":
            break
    if run.status != "done":
        start_worker(run, store, trusted=False, tie=False).wait()
    reader.over.set()
    reader.join()
    tally.polls.append(reader.polls)
    return run


def resume(store: Store, full: bool) -> None:
    """Kill and resume, and compare with the uninterrupted twin."""
    count, tally, twins = 100 if full else 6, Tally(), []
    for config in (CONFIG, BATCHNORM):
        run = uninterrupted(store, config)
        twins.append((config, run, last_checkpoint(run)))
    done = []

    def trial(number: int) -> None:
        config, twin, state = twins[number % 2]
        run = killed(store, config, 1 + number % 3, random.Random(number), tally)
        if run.status != "done" or last_checkpoint(run) != state:
            tally.other_states.append(f"{run.id}: {run.status} {run.head.message}")
        if run.status != "done" or (found := differences(run, twin)):
            tally.other_snapshots.append(f"{run.id}: {run.status} {found[:3]}")
        store.delete(run.id)
        done.append(number)
        unequal = len(tally.other_states) + len(tally.other_snapshots)
        progress(f"{len(done)} of {count} runs resumed after {tally.kills} kills, {unequal} unequal")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(trial, range(count)))
    store.empty_trash()
    equal = count - len(tally.other_states)
    row("resume bit-exact", f"{count} trials", f"{equal} equal after {tally.kills} kills", equal == count)
    whole = count - len(tally.other_snapshots)
    row("trajectory after crashes equals the uninterrupted one", f"{count} trials", f"{whole} equal", whole == count)
    row("no snapshot of a training seen in half", "0", f"{len(tally.halves)} in {sum(tally.polls):,} polls", not tally.halves)
    slow = max(tally.seconds_to_state)
    row("right state after a kill of the trainer", "≤ 6 s", f"{slow:.2f} s at worst", slow <= LIMIT)
    for problem in tally.other_states + tally.other_snapshots + tally.halves:
        print(problem)


def one_engine(store: Store, full: bool) -> None:
    """Sixteen workers start at once for one run; one trains."""
    rounds, starters = 20 if full else 2, 16
    config = CONFIG | {"epochs": 2, "dataset": "xord", "model": "mlp", "train_examples": 0}
    alone = 0
    for number in range(rounds):
        run_id = store.create_run(config, name="contended")
        command = [sys.executable, "-m", "prunescope.engine.worker"]
        command += ["--logdir", str(store.root), "--run", run_id]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(starters)]
        outputs = [worker.communicate()[0] for worker in workers]
        sound = all(worker.returncode == 0 for worker in workers) and store.run(run_id).status == "done"
        alone += sound and sum("epoch 1 " in output for output in outputs) == 1
        progress(f"one engine a run: {alone} of {number + 1} rounds")
    row(f"one engine a run ({rounds} × {starters} starts)", "one trains", f"{alone} of {rounds}", alone == rounds)
