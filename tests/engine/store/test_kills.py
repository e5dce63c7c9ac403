"""Real processes, killed and stopped: nothing that was acknowledged is lost, and the status never lies."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from prunescope.engine.store import Run, RunLocked, Store, locks


def wait_until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def read_acknowledged(process, least):
    """Last epoch that the writer has printed, once it printed `least` of them."""
    last = -1
    while last < least:
        line = process.stdout.readline()
        assert line, "the writer has ended"
        last = int(line)
    return last


def kill(process):
    """kill -9, and the last epoch it acknowledged."""
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    return int(rest[-1]) if rest else -1


def test_acknowledged_epochs_survive_kill_9(store, endless_writer):
    run_id = store.create_run({})
    generator = random.Random(0)
    acknowledged = -1
    for _ in range(4):
        process = endless_writer(run_id)
        acknowledged = max(acknowledged, read_acknowledged(process, acknowledged + 1))
        time.sleep(generator.uniform(0, 0.05))
        acknowledged = max(acknowledged, kill(process))
        run = Run(store.root / run_id)
        assert run.epochs.tolist() == [float(epoch) for epoch in range(len(run.epochs))]
        assert len(run.epochs) > acknowledged
        assert run.verify() == []
        assert run.status == "interrupted"
        run.close()
    values = store.run(run_id).trajectory("fc")
    assert np.array_equal(values[:, 0, 0], np.arange(len(values)))


def test_what_a_killed_writer_left_over_is_removed_by_the_next(store, endless_writer):
    run_id = store.create_run({})
    process = endless_writer(run_id)
    read_acknowledged(process, 1)
    kill(process)
    folder = store.root / run_id
    orphan = folder / "store" / "ab" / "cd" / ("0" * 28 + ".val")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"half a snapshot")
    (folder / ".store-123").mkdir()
    (folder / "ckpt" / ".tmp-1-x").write_text("")
    kept = len(store.run(run_id).epochs)
    with store.writer(run_id):
        assert not orphan.exists()
        assert not (folder / ".store-123").exists()
        assert not (folder / "ckpt" / ".tmp-1-x").exists()
    assert len(store.run(run_id).epochs) == kept
    assert store.run(run_id).verify() == []


def test_the_lock_of_a_dead_writer_is_free_at_once(store, endless_writer):
    run_id = store.create_run({})
    process = endless_writer(run_id)
    read_acknowledged(process, 0)
    run = store.run(run_id)
    assert run.status == "running"
    noted = locks.owner(run.path)
    assert noted["pid"] == process.pid
    assert locks.is_alive(noted)
    with pytest.raises(RunLocked, match=str(process.pid)):
        store.writer(run_id)
    kill(process)
    assert run.status == "interrupted"
    assert not locks.is_alive(noted)
    store.writer(run_id).close()


def test_a_stopped_writer_does_not_respond_and_nothing_waits_for_it(store, endless_writer):
    run_id = store.create_run({})
    process = endless_writer(run_id)
    read_acknowledged(process, 2)
    process.send_signal(signal.SIGSTOP)
    run = store.run(run_id)
    start = time.monotonic()
    with pytest.raises(RunLocked):
        store.writer(run_id)
    with pytest.raises(RunLocked):
        store.delete(run_id)
    assert run.weights("fc", run.epochs[-1]).shape == (100, 120)
    run.request("stop")
    assert time.monotonic() - start < 6
    os.utime(run.path / "heartbeat", (time.time() - 6,) * 2)  # rather than wait for it to grow old
    assert run.status == "not responding"
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: run.status == "running")


def test_sixteen_writers_at_once_are_one(store):
    run_id = store.create_run({})
    code = textwrap.dedent("""
        import sys, time
        from prunescope.engine.store import RunLocked, Store
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            with Store(sys.argv[1]).writer(sys.argv[2]):
                print("won", flush=True)
                sys.stdin.readline()
        except RunLocked:
            print("refused", flush=True)
    """)
    command = [sys.executable, "-c", code, str(store.root), run_id]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = sorted(process.stdout.readline().strip() for process in processes)
    for process in processes:
        process.communicate("end\n")
    assert answers == ["refused"] * 5 + ["won"]


def test_a_forked_child_does_not_keep_the_lock_of_a_dead_parent(store):
    run_id = store.create_run({})
    code = textwrap.dedent("""
        import os, sys, time
        from prunescope.engine.store import Store
        writer = Store(sys.argv[1]).writer(sys.argv[2])
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        print(child, flush=True)
        time.sleep(30)
    """)
    command = [sys.executable, "-c", code, str(store.root), run_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            store.writer(run_id).close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_killed_first_writer_leaves_a_run_that_can_be_opened(store, monkeypatch):
    run_id = store.create_run({})
    folder = store.root / run_id
    (folder / ".store-1").mkdir()
    (folder / ".store-1" / "cache.db").write_bytes(b"half")
    assert store.run(run_id).status == "queued"
    assert store.run(run_id).error is None
    with store.writer(run_id) as writer:
        writer.set_state("running")
    assert Store(store.root).run(run_id).status == "interrupted"
