"""Real workers: pause, resume, stop, signals, kills at random moments, failures."""

import os
import random
import signal
import threading
import time

import numpy as np
import pytest
from prunescope.engine.config import RunConfig
from prunescope.engine.launch import launch_resume, start_worker
from prunescope.engine.store import Store, StoreError
from prunescope.engine.training import train

# XORD loads without scikit-learn, which saves each process a second.
SLOW = {
    "dataset": "xord", "model": "mlp", "hidden": [8], "epochs": 1000, "threads": 1, "batch_size": 32,
    "min_epoch_seconds": 0.1,
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def start(store):
    """Start a worker for a config or for a run; whatever still lives at the end is killed."""
    started = []

    def begin(config=None, run=None):
        run = run or store.run(store.create_run(config, name="test"))
        started.append(start_worker(run, store, trusted=False, tie=False))
        return run, started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_pause_resume_and_stop_through_the_run_folder(store, start, wait_for):
    run, process = start(SLOW)
    wait_for(lambda: len(run.epochs) > 1)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 5
    run.request("pause")
    wait_for(lambda: run.status == "paused")
    paused_at = run.epochs[-1]
    time.sleep(0.5)
    assert (run.status, run.epochs[-1]) == ("paused", paused_at)
    with pytest.raises(StoreError, match="nothing to resume"):
        launch_resume(store, run.id)
    run.request("resume")
    wait_for(lambda: run.epochs[-1] > paused_at)
    assert run.status == "running"
    run.request("stop")
    assert process.wait(30) == 0
    assert run.status == "stopped"
    assert "resume continues there" in run.head.message


def test_a_signal_ends_a_paused_run_cleanly_and_resuming_ends_in_the_same_bits(
    store, start, wait_for, assert_same_run
):
    config = SLOW | {"epochs": 15}
    run, process = start(config)
    wait_for(lambda: len(run.epochs) > 1)
    run.request("pause")
    wait_for(lambda: run.status == "paused")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert run.status == "stopped"
    assert 1 < len(run.epochs) < 16
    _, process = start(run=run)
    assert process.wait(60) == 0
    assert run.status == "done", run.log_tail()
    assert_same_run(run, train(RunConfig.from_dict(config | {"min_epoch_seconds": 0.0}), store))


def test_a_failed_run_shows_its_error_and_the_log_has_the_traceback(start):
    run, process = start(SLOW | {"optimizer": "sgd", "lr": 1000.0, "weight_decay": 1.0})
    assert process.wait(60) == 1
    assert run.status == "failed"
    assert run.head.message.startswith("Diverged")
    log = "\n".join(run.log_tail(200))
    assert "Traceback" in log
    assert "Diverged" in log


def test_a_run_killed_before_it_began_is_seen_as_interrupted_and_starts_over(start, wait_for):
    run, process = start(SLOW | {"epochs": 3})
    wait_for(lambda: run.status == "running")
    process.kill()
    process.wait()
    wait_for(lambda: run.status == "interrupted", seconds=6)
    _, process = start(run=run)
    assert process.wait(60) == 0
    assert run.status == "done", run.log_tail()
    assert run.epochs.tolist() == [0, 1, 2, 3]


def test_killed_at_random_moments_and_resumed_equals_the_uninterrupted_run(
    store, start, wait_for, assert_same_run
):
    """A reader polls all the while and must never see a snapshot in half."""
    config = {
        "model": "conv2", "width": 0.0625, "epochs": 25, "threads": 1, "train_examples": 256,
        "schedule": "cosine", "early_snapshots": 3, "label_noise": 0.2, "min_epoch_seconds": 0.05,
    }  # fmt: skip
    straight = train(RunConfig.from_dict(config), store)
    rng = random.Random(0)
    run, process = start(config)
    watch = Watcher(run)
    for _ in range(2):
        seen = len(run.epochs)
        wait_for(lambda: len(run.epochs) > seen + 1)  # noqa: B023 - used at once
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.wait()
        wait_for(lambda: run.status == "interrupted", seconds=6)
        _, process = start(run=run)
    assert process.wait(120) == 0
    assert watch.stop() == []
    assert run.status == "done", run.log_tail()
    assert_same_run(run, straight)


class Watcher:
    """Reads the newest snapshot again and again; collects what was incomplete."""

    def __init__(self, run):
        self.run, self.faults, self._over = run, [], threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        names, last = None, -1.0
        while not self._over.wait(0.005):
            epochs = self.run.epochs
            if len(epochs) == 0:
                continue
            arrays = self.run.arrays(epochs[-1])
            names = names or set(arrays)
            if set(arrays) != names or not all(np.isfinite(array).all() for array in arrays.values()):
                self.faults.append(f"epoch {epochs[-1]}: {sorted(arrays)}")
            if not np.isfinite([values[-1] for values in self.run.metrics().values()]).all():
                self.faults.append(f"epoch {epochs[-1]}: metrics")
            if epochs[-1] < last:
                self.faults.append(f"epoch {epochs[-1]} after {last}")
            last = epochs[-1]

    def stop(self):
        self._over.set()
        self._thread.join()
        return self.faults
