"""Killed and resumed trainings: ``python tests/benchmarks/promises_resume.py [--quick|--full]``.

Real worker processes are killed with SIGKILL at random moments while a reader polls.

1. *Resume bit-exact*: a run killed once and resumed has the weights, metrics and last checkpoint of the run
   that was never interrupted.
2. *Trajectory*: a run killed again and again has the snapshots of the uninterrupted one, all and no other,
   and the reader never saw one in half.
3. *One engine a run*: of 16 workers started at once for one run, one trains.
4. *Right state*: from the kill to "interrupted" in the run's status.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from prunescope.engine.launch import start_worker
from prunescope.engine.store import Run, Store

# All that has a state: Adam, a schedule, and in the second one BatchNorm. Dropout and foreign generators are
# in the unit tests, which leave out each part of the checkpoint in turn.
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

    trials: int = 0
    unequal: list[str] = field(default_factory=list)
    kills: int = 0
    polls: int = 0
    halves: list[str] = field(default_factory=list)
    seconds_to_state: list[float] = field(default_factory=list)


class Reader(threading.Thread):
    """Polls the newest snapshot of a run without rest."""

    def __init__(self, run: Run, tally: Tally) -> None:
        super().__init__(daemon=True)
        self._run, self._tally, self.over = run, tally, threading.Event()

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
            self._tally.polls += 1
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


def uninterrupted(store: Store, config: dict[str, object]) -> Run:
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
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.wait()
        begun = time.monotonic()
        tally.kills += 1
        while run.status not in ("interrupted", "done"):
            if time.monotonic() - begun > 60:
                break
            time.sleep(0.001)
        tally.seconds_to_state.append(time.monotonic() - begun)
        if run.status == "done":
            break
    if run.status != "done":
        start_worker(run, store, trusted=False, tie=False).wait()
    reader.over.set()
    reader.join()
    return run


def trials(
    store: Store, configs: list[dict[str, object]], count: int, kills: int, rng: random.Random
) -> Tally:
    """Kill and resume `count` runs, and compare each with its uninterrupted twin."""
    tally = Tally()
    straight = [uninterrupted(store, config) for config in configs]
    for trial in range(count):
        which = trial % len(configs)
        run = killed(store, configs[which], kills, rng, tally)
        tally.trials += 1
        if run.status != "done" or (found := differences(run, straight[which])):
            tally.unequal.append(f"{run.id}: {run.status} {run.head.message} {found[:3] if found else ''}")
        store.delete(run.id)
        store.empty_trash()
        progress(f"{kills} kills a run: {trial + 1} of {count}, {len(tally.unequal)} unequal")
    return tally


def one_engine(store: Store, rounds: int, starters: int) -> list[int]:
    """How many of the workers started at once for one run did train, by round."""
    trained = []
    config = CONFIG | {"epochs": 2, "dataset": "xord", "model": "mlp", "train_examples": 0}
    for number in range(rounds):
        run_id = store.create_run(config, name="contended")
        command = [sys.executable, "-m", "prunescope.engine.worker"]
        command += ["--logdir", str(store.root), "--run", run_id]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(starters)]
        outputs = [worker.communicate()[0] for worker in workers]
        sound = all(worker.returncode == 0 for worker in workers) and store.run(run_id).status == "done"
        trained.append(sum("epoch 1 " in output for output in outputs) if sound else -1)
        progress(f"one engine a run: {number + 1} of {rounds}")
    return trained


def progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def report(exact: Tally, repeated: Tally, engines: list[int], starters: int) -> bool:
    """Print the table; whether every promise is kept."""
    states = exact.seconds_to_state + repeated.seconds_to_state
    in_time = sum(seconds <= LIMIT for seconds in states)
    polls, halves = exact.polls + repeated.polls, exact.halves + repeated.halves
    alone = sum(count == 1 for count in engines)
    rows = [
        (
            "resume bit-exact",
            "100 trials",
            f"{exact.trials - len(exact.unequal)} of {exact.trials} equal",
            not exact.unequal,
        ),
        (
            "trajectory after crashes equals the uninterrupted one",
            "100 trials",
            f"{repeated.trials - len(repeated.unequal)} of {repeated.trials} after {repeated.kills} kills",
            not repeated.unequal,
        ),
        ("no snapshot seen in half", "0", f"{len(halves)} in {polls:,} polls", not halves),
        (
            "one engine a run",
            "20 × 16 starts",
            f"{alone} of {len(engines)} × {starters}",
            alone == len(engines),
        ),
        (
            "right state after a kill",
            "≤ 6 s",
            f"{in_time} of {len(states)}, slowest {max(states):.2f} s",
            in_time == len(states),
        ),
    ]
    print(f"{'promise':56}{'to reach':>16}{'measured':>32}")
    for promise, wanted, measured, kept in rows:
        print(f"{promise:56}{wanted:>16}{measured:>32}{'' if kept else '   BROKEN'}")
    for problem in exact.unequal + repeated.unequal + halves:
        print(problem)
    return all(kept for *_, kept in rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a few trials, about three minutes (the default)")
    size.add_argument("--full", action="store_true", help="the promised numbers, about an hour on two cores")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    options = parser.parse_args()
    count, rounds = (100, 20) if options.full else (4, 2)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs")
        exact = trials(store, [CONFIG, BATCHNORM], count, 1, rng)
        repeated = trials(store, [CONFIG, BATCHNORM], count, 3, rng)
        engines = one_engine(store, rounds, 16)
    return 0 if report(exact, repeated, engines, 16) else 1


if __name__ == "__main__":
    sys.exit(main())
