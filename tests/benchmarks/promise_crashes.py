"""Promises kept under kill -9, under many writers and under one that stands still."""

import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from promise_table import progress, row
from prunescope.engine.store import Run, Store, StoreError

WRITER = """
    import os, signal, sys
    import numpy as np
    from prunescope.engine.store import LayerInfo, Store, checkpoints, disk, files
    root, run_id, point, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    def die_at(owner, name, when, after=False):
        real, left = getattr(owner, name), [when]
        def act(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0 and not after:
                if name == "write_all":
                    os.write(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **kwargs)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(owner, name, act)
    small = LayerInfo(name="small", kind="linear", units=4, fan_in=4, shape=(4, 4))
    layer = LayerInfo(name="fc", kind="linear", units=100, fan_in=120, shape=(100, 120))
    with Store(root).writer(run_id) as writer:
        writer.declare([layer, small], total_epochs=None)
        writer.set_state("running")
        epoch = 0 if writer.head.epoch is None else int(writer.head.epoch) + 1
        print(-1, flush=True)
        if point == "in a file":
            die_at(files, "write_all", count)
        elif point == "before the head":
            die_at(type(writer.head), "pack", count)
        elif point == "after the commit":
            die_at(type(writer._ledger), "_transaction", count, after=True)
        elif point == "in a checkpoint":
            die_at(checkpoints.files, "replace", count)
        while True:
            full = lambda *shape: np.full(shape, epoch, np.float32)
            tensors = {"fc.weight": full(100, 120), "small.weight": full(4, 4), "b": full(20000)}
            writer.commit(epoch, tensors, {"epoch": epoch})
            print(epoch, flush=True)
            if epoch % 5 == 4:
                writer.save_checkpoint(b"%d" % epoch * 1000, epoch)
            epoch += 1
"""


def start(store: Store, run_id: str, point: str = "", count: int = 0) -> subprocess.Popen[str]:
    """A process that commits until it dies."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(store.root), run_id, point, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lost_and_torn(store: Store, run_id: str, acknowledged: int, since: int) -> tuple[int, int]:
    """Acknowledged epochs that are missing, and snapshots that are not whole, from `since` on."""
    run = Run(store.root / run_id)
    lost = max(0, acknowledged + 1 - len(run.epochs))
    torn = 0
    for epoch in run.epochs[since:].tolist():
        try:
            torn += {float(v) for a in run.arrays(epoch).values() for v in np.unique(a)} != {epoch}
        except StoreError:
            torn += 1
    run.close()
    return lost, torn


def watch(store: Store, run_id: str, stop: threading.Event, seen: dict[str, int]) -> None:
    """Poll as the dashboard does; what is visible must be whole."""
    run = Run(store.root / run_id)
    last = 0
    while not stop.wait(0.001):  # without a rest it would take the core from those it watches
        head = run.head
        seen["polls"] += 1
        if head.n_snapshots != last:
            seen["half"] += head.n_snapshots < last or len(run.epochs) < head.n_snapshots
            last = head.n_snapshots
            try:
                values = {float(v) for a in run.arrays(head.epoch or 0).values() for v in np.unique(a)}
                seen["half"] += values != {head.epoch}
            except StoreError:
                seen["half"] += 1
    run.close()


def kills(store: Store, full: bool) -> None:
    """kill -9 at random moments, with a reader polling all the while."""
    trials = 200 if full else 20
    run_id = store.create_run({})
    generator, acknowledged, lost, torn, slow = random.Random(0), -1, 0, 0, 0.0
    stop, seen = threading.Event(), {"polls": 0, "half": 0}
    watcher = threading.Thread(target=watch, args=(store, run_id, stop, seen))
    watcher.start()
    for trial in range(trials):
        since = acknowledged + 1
        process = start(store, run_id)
        assert process.stdout
        process.stdout.readline()
        time.sleep(generator.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        lines = process.communicate()[0].split()
        acknowledged = max(acknowledged, int(lines[-1]) if lines else -1)
        begun = time.monotonic()
        while store.run(run_id).status != "interrupted" and time.monotonic() - begun < 10:
            time.sleep(0.01)
        slow = max(slow, time.monotonic() - begun)
        missing, halves = lost_and_torn(store, run_id, acknowledged, since)
        lost, torn = lost + missing, torn + halves
        progress(f"{trial + 1} of {trials} kills: {lost} lost, {torn} torn of {acknowledged + 1}, {seen['polls']} polls")
    stop.set()
    watcher.join()
    store.writer(run_id).close()
    run = store.run(run_id)
    named = run._database.select("SELECT count(*) FROM Cache WHERE filename IS NOT NULL")[0][0]
    orphans = len(list((run.path / "store").glob("??/??/*"))) - named
    row(
        f"acknowledged epochs survive kill -9 ({trials} random kills)",
        "0 lost, 0 torn",
        f"{lost} lost, {torn} torn of {len(run.epochs)}, {orphans} orphans after the next start",
        lost == torn == orphans == 0,
    )
    row("seen whole or not at all", "0 half", f"{seen['half']} in {seen['polls']:,} polls", seen["half"] == 0)
    row("status after a kill", "interrupted in ≤ 6 s", f"{slow:.2f} s at worst", slow <= 6)


def named_points(store: Store, full: bool) -> None:
    """kill -9 at each point where it could hurt."""
    trials = 50 if full else 5
    for point in ("in a file", "before the head", "after the commit", "in a checkpoint"):
        run_id = store.create_run({})
        acknowledged, lost, torn, checkpoints = -1, 0, 0, 0
        for trial in range(trials):
            since = acknowledged + 1
            # Every snapshot has several buffers, files and records: each trial dies at another one.
            lines = start(
                store, run_id, point, 1 + 7 * trial % (3 if point == "in a checkpoint" else 60)
            ).communicate()[0]
            acknowledged = max(acknowledged, *map(int, lines.split()))
            missing, halves = lost_and_torn(store, run_id, acknowledged, since)
            lost, torn = lost + missing, torn + halves
            with store.writer(run_id) as writer:
                kept = writer.load_checkpoint()
            checkpoints += kept is not None and kept[1] != b"%d" % int(kept[0]) * 1000
            progress(f"{point}, {trial + 1} of {trials}: {lost} lost, {torn} torn, {checkpoints} bad checkpoints")
        row(
            f"kill -9 {point} ({trials} times)",
            "0 lost, 0 torn",
            f"{lost} lost, {torn} torn, {checkpoints} bad checkpoints of {acknowledged + 1}",
            lost == torn == checkpoints == 0,
        )


RACER = """
    import sys
    from prunescope.engine.store import RunLocked, Store
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with Store(sys.argv[1]).writer(sys.argv[2]):
            print("won", flush=True)
            sys.stdin.readline()
    except RunLocked:
        print("refused", flush=True)
"""


def one_writer(store: Store, full: bool) -> None:
    """Many processes ask for one run at once."""
    rounds, racers = (20, 16) if full else (2, 16)
    right = 0
    for _ in range(rounds):
        run_id = store.create_run({})
        command = [sys.executable, "-c", textwrap.dedent(RACER), str(store.root), run_id]
        pipe = subprocess.PIPE
        processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(racers)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline().strip() for process in processes]
        for process in processes:
            process.communicate("end\n")
        right += sorted(answers) == ["refused"] * (racers - 1) + ["won"]
    row(
        f"one writer a run ({rounds} × {racers} starts)",
        "one winner each",
        f"{right} of {rounds}",
        right == rounds,
    )


def committing(store: Store) -> tuple[str, subprocess.Popen[str]]:
    """A run, and a process that has committed five epochs of it and goes on."""
    run_id = store.create_run({})
    process = start(store, run_id)
    assert process.stdout
    while int(process.stdout.readline()) < 5:
        pass
    return run_id, process


def slowest(*calls: Callable[[], object]) -> float:
    """Seconds that the slowest of these calls took, whether it was refused or not."""
    worst = 0.0
    for call in calls:
        begun = time.monotonic()
        with suppress(StoreError):
            call()
        worst = max(worst, time.monotonic() - begun)
    return worst


def stopped_holder(store: Store, full: bool) -> None:
    """A stopped writer hangs nobody, and is called what it is; nor does a folder that is gone."""
    run_id, process = committing(store)
    process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    worst = slowest(
        lambda: store.writer(run_id), lambda: store.delete(run_id), lambda: store.run(run_id).verify()
    )
    while store.run(run_id).status != "not responding" and time.monotonic() - stopped < 20:
        time.sleep(0.05)
    late = time.monotonic() - stopped
    process.kill()
    process.communicate()
    row("no call hangs behind a stopped writer", "≤ 6 s", f"{worst:.2f} s at worst", worst <= 6)
    row("a stopped writer is shown as not responding", "≤ 6 s", f"{late:.1f} s", late <= 6)

    run_id, process = committing(store)
    run = store.run(run_id)
    while run.path.exists():  # its writer still puts files there
        shutil.rmtree(run.path, ignore_errors=True)
    worst = slowest(
        lambda: (run.status, run.epochs, run.version, run.error, run.log_tail()),
        lambda: run.weights("fc", 0),
        run.verify,
        store.runs,
        lambda: store.run(run_id),
        lambda: store.writer(run_id),
        lambda: store.delete(run_id),
        lambda: run.request("stop"),
        lambda: process.wait(10),
    )
    process.kill()
    process.communicate()
    row("no call hangs on a removed folder, and its writer ends", "≤ 6 s", f"{worst:.2f} s at worst", worst <= 6)
