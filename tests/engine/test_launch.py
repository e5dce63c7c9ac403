"""Starting workers: cheap, refused where it must be, and never one too many."""

import subprocess
import sys
import time

import pytest
from prunescope.engine.config import ConfigError
from prunescope.engine.launch import launch, launch_resume, rerun
from prunescope.engine.store import Store, StoreError

TINY = {"model": "mlp", "hidden": [8], "epochs": 2, "threads": 1, "train_examples": 128}
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


def test_importing_the_launcher_and_the_worker_imports_no_torch():
    code = "import sys, prunescope.engine.launch, prunescope.engine.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_launched_run_trains_in_another_process_to_its_end(store):
    run_id = launch(store, TINY)
    run = store.run(run_id)
    wait_for(lambda: run.status in ENDED)
    assert run.status == "done", run.log_tail()
    assert run.epochs.tolist() == [0.0, 1.0, 2.0]
    assert "val/accuracy" in "\n".join(run.log_tail())


def test_bad_settings_are_refused_before_anything_is_created(store):
    with pytest.raises(ConfigError):
        launch(store, TINY | {"epochs": -1})
    assert store.runs() == []


def test_own_code_is_imported_only_for_the_trusted(store):
    with pytest.raises(ConfigError, match="command line"):
        launch(store, TINY | {"model": "os:system"})
    run_id = store.create_run(TINY | {"model": "os:system"}, name="a strangers run")
    with pytest.raises(ConfigError, match="command line"):
        launch_resume(store, run_id)
    with pytest.raises(ConfigError, match="command line"):
        rerun(store, run_id)
    assert len(store.runs()) == 1


def test_a_worker_refuses_a_strangers_code_even_when_somebody_starts_it(store):
    run_id = store.create_run(TINY | {"model": "os:system"}, name="a strangers run")
    command = [sys.executable, "-m", "prunescope.engine.worker", "--logdir", str(store.root), "--run", run_id]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "command line" in ended.stdout


def test_a_finished_run_is_not_resumed_but_run_again(store):
    run_id = launch(store, TINY, name="mine")
    wait_for(lambda: store.run(run_id).status in ENDED)
    with pytest.raises(StoreError, match="finished"):
        launch_resume(store, run_id)
    again = rerun(store, run_id)
    assert again != run_id
    wait_for(lambda: store.run(again).status in ENDED)
    first, second = store.run(run_id), store.run(again)
    assert (second.name, second.config) == (first.name, first.config)
    assert (first.arrays(2.0)["fc1.weight"] == second.arrays(2.0)["fc1.weight"]).all()


def test_a_running_run_is_not_started_twice(store):
    run_id = launch(store, TINY | {"epochs": 1000, "min_epoch_seconds": 1.0})
    wait_for(lambda: store.run(run_id).status == "running")
    with pytest.raises(StoreError, match="nothing to resume"):
        launch_resume(store, run_id)
    store.run(run_id).request("stop")
    wait_for(lambda: store.run(run_id).status in ENDED)


def test_a_worker_for_an_unknown_run_says_so(store):
    command = [sys.executable, "-m", "prunescope.engine.worker", "--logdir", str(store.root), "--run", "nobody"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "nobody" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_eight_workers_for_one_run_make_one_training(store):
    run_id = store.create_run(TINY, name="contended")
    command = [sys.executable, "-m", "prunescope.engine.worker", "--logdir", str(store.root), "--run", run_id]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    outputs = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    assert sum("epoch 1 " in output for output in outputs) == 1
    assert store.run(run_id).status == "done"


TIED = """
import sys, time
from prunescope.engine.launch import launch
from prunescope.engine.store import Store
store = Store(sys.argv[1])
run = store.run(launch(store, {settings}, tie=True))
while len(run.epochs) < 2:
    time.sleep(0.02)
print(run.id, flush=True)
time.sleep(600)
"""


def test_a_tied_worker_ends_cleanly_when_its_starter_is_killed(store):
    settings = TINY | {"epochs": 1000, "min_epoch_seconds": 0.2}
    command = [sys.executable, "-c", TIED.format(settings=settings), str(store.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        run = store.run(starter.stdout.readline().strip())
        assert run.status == "running"
        starter.kill()
    wait_for(lambda: run.status in ENDED)
    assert run.status == "stopped"
