"""Real workers: pause, resume, stop, signals, kills at random moments, failures."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from prunescope.engine.launch import start_worker
from prunescope.engine.store import Store

SLOW = {"model": "mlp", "hidden": [8], "epochs": 1000, "threads": 1, "train_examples": 128, "min_epoch_seconds": 0.1}
ENDED = ("done", "stopped", "failed", "interrupted")


def wait_for(condition, seconds=60):
    """Poll until true; the limit only keeps a broken test from hanging."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def start(store):
    """Start a worker for a config or a run; whatever still lives at the end is killed."""
    started = []

    def begin(config=None, run=None):
        run = run or store.run(store.create_run(config, name="test"))
        process = start_worker(run, store, trusted=False, tie=False)
        started.append(process)
        return run, process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_pause_resume_and_stop_through_the_run_folder(start):
    run, process = start(SLOW)
    wait_for(lambda: len(run.epochs) > 1)
    run.request("pause")
    wait_for(lambda: run.status == "paused")
    paused_at = run.epochs[-1]
    time.sleep(0.5)
    assert run.epochs[-1] == paused_at
    assert run.status == "paused"
    run.request("resume")
    wait_for(lambda: run.epochs[-1] > paused_at)
    assert run.status == "running"
    run.request("stop")
    wait_for(lambda: run.status in ENDED)
    assert run.status == "stopped"
    assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_cleanly_and_it_can_be_resumed(start, number):
    run, process = start(SLOW | {"epochs": 12})
    wait_for(lambda: len(run.epochs) > 1)
    process.send_signal(number)
    assert process.wait(30) == 0
    assert run.status == "stopped"
    kept = len(run.epochs)
    assert kept > 1
    start(run=run)
    wait_for(lambda: run.status == "done")
    assert run.epochs.tolist() == list(range(13))


def test_a_paused_run_can_be_ended_by_a_signal(start):
    run, process = start(SLOW)
    wait_for(lambda: len(run.epochs) > 0)
    run.request("pause")
    wait_for(lambda: run.status == "paused")
    process.terminate()
    assert process.wait(30) == 0
    assert run.status == "stopped"


def test_a_failed_run_shows_its_error_and_the_log_has_the_traceback(start):
    run, process = start(SLOW | {"layers": ["no-such-layer"]})
    assert process.wait(60) == 1
    assert run.status == "failed"
    assert "no-such-layer" in run.head.message
    log = "\n".join(run.log_tail(200))
    assert "Traceback" in log
    assert "no-such-layer" in log


def test_a_killed_worker_is_seen_as_interrupted_within_seconds(start):
    run, process = start(SLOW)
    wait_for(lambda: len(run.epochs) > 1)
    process.kill()
    process.wait()
    wait_for(lambda: run.status == "interrupted", seconds=6)


def test_a_run_killed_before_its_first_checkpoint_starts_over_and_ends_the_same(start, store):
    run, process = start(SLOW | {"epochs": 3})
    wait_for(lambda: run.status == "running")
    process.kill()
    process.wait()
    _, process = start(run=run)
    assert process.wait(60) == 0
    assert run.status == "done"
    assert run.epochs.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("trial", range(3))
def test_killed_at_random_moments_and_resumed_equals_the_uninterrupted_run(start, store, trial):
    """A reader polls all the while and must never see a snapshot in half."""
    config = {
        "model": "conv2", "width": 0.0625, "epochs": 25, "threads": 1, "train_examples": 256, "seed": trial,
        "optimizer": "adam", "schedule": "cosine", "early_snapshots": 3, "label_noise": 0.2,
    }  # fmt: skip
    straight, process = start(config)
    assert process.wait(120) == 0
    rng = random.Random(trial)
    run, process = start(config)
    watch = Watcher(run)
    kills = 0
    while kills < 3:
        seen = len(run.epochs)
        wait_for(lambda: len(run.epochs) > seen or run.status in ENDED)  # noqa: B023 - used at once
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.wait()
        kills += 1
        if run.status == "done":
            break
        _, process = start(run=run)
    assert process.wait(120) == 0
    assert watch.stop() == []
    assert run.status == "done", run.log_tail()
    assert_equal_to_the_bit(run, straight)


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


def assert_equal_to_the_bit(run, other):
    assert run.epochs.tolist() == other.epochs.tolist()
    for epoch in run.epochs:
        arrays, others = run.arrays(epoch), other.arrays(epoch)
        for name in others:
            np.testing.assert_array_equal(arrays[name], others[name], err_msg=f"{name} at epoch {epoch}")
    for name, values in other.metrics().items():
        np.testing.assert_array_equal(run.metrics()[name], values, err_msg=name)


def test_the_worker_is_polite(start):
    run, process = start(SLOW)
    wait_for(lambda: run.status == "running")
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= 5


def test_the_folder_that_one_happens_to_be_in_runs_no_code(store, tmp_path):
    """`python -m` puts the current folder first on the path."""
    (tmp_path / "argparse.py").write_text("raise SystemExit('a strangers code ran')")
    run_id = store.create_run(SLOW | {"epochs": 1}, name="elsewhere")
    code = (
        "import sys; from prunescope.engine.launch import start_worker; from prunescope.engine.store import Store;"
        "store = Store(sys.argv[1]);"
        "sys.exit(start_worker(store.run(sys.argv[2]), store, trusted=False, tie=False).wait())"
    )
    command = [sys.executable, "-P", "-c", code, str(store.root), run_id]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
