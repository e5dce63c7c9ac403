"""Starting workers: cheap, refused where it must be, and never one too many."""

import subprocess
import sys

import pytest
from prunescope.engine.config import ConfigError, RunConfig
from prunescope.engine.launch import launch, launch_resume, rerun, start_worker
from prunescope.engine.store import Store, StoreError

# XORD loads without scikit-learn, which saves each process a second.
TINY = {"dataset": "xord", "model": "mlp", "hidden": [8], "epochs": 2, "threads": 1, "batch_size": 32}
FOREIGN = TINY | {"model": "os:system"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def run_worker(store, run_id, **options):
    command = [sys.executable, "-m", "prunescope.engine.worker", "--logdir", str(store.root), "--run", run_id]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_importing_the_launcher_and_the_worker_imports_no_torch():
    code = "import sys, prunescope.engine.launch, prunescope.engine.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_launched_run_trains_to_its_end_and_can_only_be_run_again(store, wait_for, assert_same_run):
    first = store.run(launch(store, RunConfig.from_dict(TINY), name="mine", parent=None))
    wait_for(lambda: first.status in ("done", "failed"))
    assert first.status == "done", first.log_tail()
    assert first.epochs.tolist() == [0.0, 1.0, 2.0]
    assert "val/accuracy" in "\n".join(first.log_tail())
    with pytest.raises(StoreError, match="finished"):
        launch_resume(store, first.id)
    second = store.run(rerun(store, first.id))
    wait_for(lambda: second.status in ("done", "failed"))
    assert second.id != first.id
    assert (second.name, second.config) == (first.name, first.config)
    assert_same_run(first, second)


def test_bad_settings_are_refused_before_anything_is_created(store):
    with pytest.raises(ConfigError):
        launch(store, TINY | {"epochs": -1})
    assert store.runs() == []


def test_own_code_is_imported_only_for_the_trusted(store):
    with pytest.raises(ConfigError, match="command line"):
        launch(store, FOREIGN)
    run_id = store.create_run(FOREIGN, name="of a stranger")
    for start in (launch_resume, rerun):
        with pytest.raises(ConfigError, match="command line"):
            start(store, run_id)
    assert len(store.runs()) == 1


def test_a_worker_refuses_a_strangers_code_whoever_starts_it(store):
    ended = run_worker(store, store.create_run(FOREIGN, name="of a stranger"))
    assert ended.returncode == 2
    assert "command line" in ended.stdout


def test_a_worker_for_an_unknown_run_says_so(store):
    ended = run_worker(store, "nobody")
    assert ended.returncode == 2
    assert "nobody" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_the_folder_that_one_happens_to_be_in_runs_no_code(store, tmp_path, monkeypatch):
    """`python -m` puts the current folder first on the path, so an argparse.py there would be imported."""
    (tmp_path / "argparse.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    run = store.run(store.create_run(FOREIGN, name="of a stranger"))
    process = start_worker(run, store, trusted=False, tie=False)
    assert process.wait(60) == 2


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


def test_a_tied_worker_ends_cleanly_when_its_starter_is_killed(store, wait_for):
    settings = TINY | {"epochs": 1000, "min_epoch_seconds": 0.2}
    command = [sys.executable, "-c", TIED.format(settings=settings), str(store.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        run = store.run(starter.stdout.readline().strip())
        assert run.status == "running"
        starter.kill()
    wait_for(lambda: run.status != "running")
    assert run.status == "stopped"
