"""Processes that die, runs that fail, kill -9 of the head, Ctrl-C: what is done stays done."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from prunescope.engine.experiments import executor, supervisor
from prunescope.engine.experiments.executor import LocalExecutor, executor_width, open_executor
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.experiments.supervisor import Supervisor
from prunescope.engine.experiments.task import run_cell
from prunescope.engine.store import RunLocked, Store, StoreError

# Stands for `task.run_cell` without importing torch; imported by name in the workers.
STAND_IN = """
import os, signal, time
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.store import Store

def run_cell(root, experiment_id, key, *, trusted=False):
    described = Experiments(Store(root)).open(experiment_id)
    with described.table() as table:
        row = table.row(key)
        attempt = table.begin(key, "none")
        lr = row.cell.config["lr"]
        if lr == 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        if lr == 0.25:
            raise RuntimeError("a fault around the run")
        if lr == 0.125:
            table.fail(key, "RuntimeError: no such luck")
            return "failed"
        time.sleep(0.2)
        table.finish(key, {"accuracy": lr, "pid": os.getpid()})
        return "done"
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "stand_in_task.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    import stand_in_task

    monkeypatch.setattr(supervisor, "run_cell", stand_in_task.run_cell)


def sweep(make, rates):
    return make("sweep", {"grid": {"lr": rates}})


def by_rate(described):
    with described.table() as table:
        return {row.cell.config["lr"]: row for row in table.rows()}


def test_a_run_that_kills_its_process_fails_alone_and_the_others_are_done(store, make, stand_in):
    described = sweep(make, [0.01, 0.02, 0.5, 0.03, 0.04])
    Supervisor(store, described, executor="local:2").run()
    rows = by_rate(described)
    assert rows[0.5].state == "failed"
    assert rows[0.5].error.startswith("crash")
    assert {rate: row.state for rate, row in rows.items() if rate != 0.5} == dict.fromkeys(
        (0.01, 0.02, 0.03, 0.04), "done"
    )
    assert summarise(store, described).state == "failed"


def test_a_failure_ends_that_run_at_once_and_no_other(store, make, stand_in):
    described = sweep(make, [0.25, 0.125, 0.01])
    Supervisor(store, described, executor="local:1").run()
    rows = by_rate(described)
    assert (rows[0.25].state, rows[0.25].error) == ("failed", "RuntimeError: a fault around the run")
    assert (rows[0.125].state, rows[0.125].error) == ("failed", "RuntimeError: no such luck")
    assert (rows[0.01].state, rows[0.125].attempt) == ("done", 1)


def test_workers_stay_between_runs(store, make, stand_in):
    described = sweep(make, [0.01, 0.02, 0.03, 0.04])
    Supervisor(store, described, executor="local:1").run()
    assert len({row.result["pid"] for row in by_rate(described).values()}) == 1


def test_one_supervisor_an_experiment(store, make, stand_in):
    from prunescope.engine.store.locks import RunLock

    described = sweep(make, [0.01])
    lock = RunLock(described.path)
    try:
        assert described.is_working
        with pytest.raises(RunLocked):
            Supervisor(store, described, executor="local:1").run()
    finally:
        lock.release()


def test_the_same_settings_are_the_same_experiment(make):
    assert sweep(make, [0.01]).id == sweep(make, [0.01]).id != sweep(make, [0.02]).id


def test_a_paused_experiment_does_nothing_and_goes_on_when_resumed(store, make, stand_in):
    described = sweep(make, [0.01])
    with described.table() as table:
        table.pause_all(True)
        Supervisor(store, described, executor="local:1").run()
        assert by_rate(described)[0.01].state == "queued"
        assert summarise(store, described).state == "paused"
        table.pause_all(False)
    Supervisor(store, described, executor="local:1").run()
    assert by_rate(described)[0.01].state == "done"


@pytest.mark.parametrize("url", ["tcp://host:8786", "slurm:", "local:0", "local:x", ""])
def test_other_executors_are_refused_with_what_there_is(url):
    with pytest.raises(ValueError, match="local"):
        open_executor(url)


def test_the_width_of_an_executor_is_in_its_url():
    assert (executor_width("local:3"), executor_width("local")) == (3, os.cpu_count())


def test_an_executor_is_one_of_the_standard_library():
    from concurrent.futures import Executor

    pool = open_executor("local:1")
    assert isinstance(pool, Executor)
    assert pool.submit(abs, -3).result() == 3
    pool.shutdown()


def test_a_failed_run_leaves_its_error_and_what_it_recorded_and_blocks_its_children(store, make):
    described = make("tickets", {"levels": 1}, run={"optimizer": "sgd", "lr": 1000.0, "weight_decay": 1.0}, seeds=[0, 1])
    run_cell(str(store.root), described.id, "s0-dense")
    summary = summarise(store, described)
    lines = {line.key: line for line in summary.lines}
    assert (lines["s0-dense"].state, lines["s0-ticket-01"].state) == ("failed", "blocked")
    assert (lines["s1-dense"].state, lines["s1-ticket-01"].state) == ("queued", "queued")
    assert lines["s0-dense"].error.startswith("Diverged")
    assert store.run(lines["s0-dense"].run_id).epochs[0] == 0
    assert "Diverged" in (store.root / lines["s0-dense"].run_id / "log.txt").read_text()


def test_a_finished_run_is_never_redone(store, make, monkeypatch):
    described = make("sweep", {"grid": {"epochs": [1]}})
    run_cell(str(store.root), described.id, "s0-p0000")
    with described.table() as table:
        table.begin("s0-p0000", "as if the supervisor had died before it was noted")
    monkeypatch.setattr("prunescope.engine.training.session.work", None)  # would be called
    assert run_cell(str(store.root), described.id, "s0-p0000") == "done"
    assert summarise(store, described).counts["done"] == 1


def test_a_superseded_attempt_neither_finishes_nor_fails_the_run(store, make, monkeypatch):
    described = make("sweep", {"grid": {"epochs": [1]}})

    def overtaken(*_):
        with described.table() as table:
            table.begin("s0-p0000", "newer")
        raise RuntimeError("the old one stumbles")

    monkeypatch.setattr("prunescope.engine.training.session.work", overtaken)
    run_cell(str(store.root), described.id, "s0-p0000")
    with described.table() as table:
        assert (table.row("s0-p0000").state, table.row("s0-p0000").error) == ("running", "")


def test_a_deleted_parent_is_computed_again_when_a_child_needs_it(store, make, stand_in):
    described = make("tickets", {"levels": 1, "arms": ["ticket"]})
    run_cell(str(store.root), described.id, "s0-dense")
    store.delete(described.run_id("s0-dense"))
    with described.table() as table:
        Supervisor(store, described)._requeue_lost_parents(table)
        assert table.row("s0-dense").state == "queued"


SLOW = [
    f"--set={change}"
    for change in (
        "run.min_epoch_seconds=0.15", "run.epochs=12", "run.train_examples=320", "run.snapshot_every=1",
        "tickets.levels=1", "tickets.arms=['ticket']", "tickets.control_levels=[]", "seeds=[0]",
    )
]  # fmt: skip


@pytest.fixture
def head(tmp_path):
    """Start `prunescope tickets` as a process of its own; what still lives at the end is killed."""
    started = []

    def start(*flags):
        command = [sys.executable, "-m", "prunescope.app.cli", "tickets", "--recipe", "digits-lenet", *SLOW,
                   "--logdir", str(tmp_path / "runs"), "--executor", "local:1", *flags]  # fmt: skip
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def children(pid):
    """Processes below `pid`, however deep."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            own = int(stat.parent.name)
            found += [own, *children(own)]
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_kill_9_of_the_head_leaves_no_orphan_and_the_next_head_ends_in_the_same_bits(
    store, head, wait_for, assert_same_run
):
    def done():
        ids = Experiments(store).ids()
        if not ids:
            return []
        with Experiments(store).open(ids[0]).table() as table:
            return [row.key for row in table.rows() if row.state == "done"]

    first = head()
    wait_for(lambda: "s0-dense" in done(), seconds=300)
    described = Experiments(store).open(Experiments(store).ids()[0])
    ticket = described.run_id("s0-ticket-01")
    wait_for(lambda: ticket in [run.id for run in store.runs()] and len(store.run(ticket).epochs) > 3, seconds=200)
    workers = children(first.pid)
    assert workers
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), seconds=10)
    before = {run.id: run.path.stat().st_ino for run in store.runs()}
    dense_version = store.run(described.run_id("s0-dense")).version

    second = head("--json")
    output, _ = second.communicate(timeout=400)
    assert second.returncode == 0, output
    # Finished ones are left alone, interrupted ones go on in their own folder.
    assert store.run(described.run_id("s0-dense")).version == dense_version
    assert {run.id: run.path.stat().st_ino for run in store.runs() if run.id in before} == before
    with described.table() as table:
        assert {row.state for row in table.rows()} == {"done"}

    straight = Store(store.root.parent / "straight")
    again = Experiments(straight).create(described.experiment)
    for key in ("s0-dense", "s0-ticket-01"):
        run_cell(str(straight.root), again.id, key)
        assert_same_run(store.run(described.run_id(key)), straight.run(again.run_id(key)))


def test_ctrl_c_saves_what_runs_and_the_same_command_goes_on(store, head, wait_for):
    first = head()
    wait_for(lambda: any(len(run.epochs) > 2 for run in store.runs()), seconds=300)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=200)
    assert first.returncode == 1
    assert "Go on with: prunescope tickets --recipe digits-lenet" in output
    described = Experiments(store).open(Experiments(store).ids()[0])
    with described.table() as table:
        assert {row.state for row in table.rows()} <= {"queued", "done"}
    assert {run.status for run in store.runs()} <= {"stopped", "done", "queued"}
    second = head("--json")
    output, _ = second.communicate(timeout=400)
    assert second.returncode == 0, output
    shown = json.loads(output[output.index("\n{") :])
    assert shown["counts"]["done"] == 2


def test_an_orphan_watch_ends_a_worker_with_its_parent(tmp_path):
    """The plainest form: a head that only holds a pool is killed, and its worker is gone."""
    code = (
        "import os, time\n"
        "from prunescope.engine.experiments.executor import open_executor\n"
        "if __name__ == '__main__':\n"
        "    pool = open_executor('local:1'); print(pool.submit(os.getpid).result(), flush=True); time.sleep(60)\n"
    )
    script = tmp_path / "holder.py"
    script.write_text(code)
    holder = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = int(holder.stdout.readline())
    holder.kill()
    holder.communicate()
    until = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def test_the_pool_can_be_killed_while_it_works():
    pool = LocalExecutor(1)
    future = pool.submit(time.sleep, 60)
    pool.submit(abs, 1)
    while not future.running():
        time.sleep(0.01)
    pool.kill()
    assert future.done() or future.cancelled()


def test_workers_give_way_to_the_pages_and_keep_to_one_core(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pool = open_executor("local:1")
    try:
        assert pool.submit(os.nice, 0).result() == min(19, os.nice(0) + executor.NICENESS) > os.nice(0)
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    finally:
        pool.shutdown()


def test_a_running_run_that_is_paused_is_saved_and_ends_in_the_same_bits_when_resumed(
    store, make, assert_same_run
):
    described = make("sweep", {"grid": {"epochs": [6]}}, run={"min_epoch_seconds": 0.2})
    key, ended = "s0-p0000", []
    worker = threading.Thread(target=lambda: ended.append(run_cell(str(store.root), described.id, key)))
    worker.start()
    until = time.monotonic() + 120
    while not (described.run_id(key) in [run.id for run in store.runs()] and len(store.run(described.run_id(key)).epochs) > 2):
        assert time.monotonic() < until
        time.sleep(0.02)
    with described.table() as table:
        table.pause(key)
        worker.join()
        assert (ended, table.row(key).state) == (["stopped"], "paused")
        assert len(store.run(described.run_id(key)).epochs) < 7
        table.resume(key)
        assert run_cell(str(store.root), described.id, key) == "done"
        assert table.row(key).attempt == 2
    straight = Store(store.root.parent / "straight")
    again = Experiments(straight).create(described.experiment)
    run_cell(str(straight.root), again.id, key)
    assert_same_run(store.run(described.run_id(key)), straight.run(again.run_id(key)))


def test_processes_that_die_before_a_run_begins_end_the_supervisor_with_advice(store, make, monkeypatch, tmp_path):
    (tmp_path / "dead_task.py").write_text("import os\ndef run_cell(*_, **__):\n    os._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import dead_task

    monkeypatch.setattr(supervisor, "run_cell", dead_task.run_cell)
    described = sweep(make, [0.01])
    with pytest.raises(StoreError, match="died 4 times before a run began"):
        Supervisor(store, described, executor="local:1").run()
    assert by_rate(described)[0.01].state == "queued"
