"""Promises kept about the data: damage, full disks, gigabytes, and many readers."""

import errno
import os
import random
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import diskcache
import numpy as np
from promise_table import row
from prunescope.engine.store import LayerInfo, RunDamaged, Store, StoreFull, files

LAYER = LayerInfo(name="fc", kind="linear", units=100, fan_in=120, shape=(100, 120))


def damage(store: Store, full: bool) -> None:
    """Flipped, cut and swapped value files."""
    flips, cuts, swaps = (1000, 200, 100) if full else (100, 20, 10)
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare([LAYER], total_epochs=None)
        for epoch in range(20):
            writer.commit(
                epoch, {"fc.weight": np.random.default_rng(epoch).random((100, 120), np.float32)}, {}
            )
    run, generator = store.run(run_id), random.Random(0)
    names = run._database.select("SELECT filename FROM Cache WHERE key LIKE 'w/%' ORDER BY key")
    paths = [run.path / "store" / name for (name,) in names]

    def caught(epochs: tuple[int, ...], spoil: Callable[[], None]) -> bool:
        whole = {epoch: paths[epoch].read_bytes() for epoch in epochs}
        spoil()
        noticed = 0
        for epoch in epochs:
            try:
                run.weights("fc", epoch)
            except RunDamaged:
                noticed += 1
            paths[epoch].write_bytes(whole[epoch])
        return noticed == len(epochs)

    def flip(path: Path, count: int) -> None:
        data = bytearray(path.read_bytes())
        for position in generator.sample(range(len(data)), count):
            data[position] ^= 1 << generator.randrange(8)
        path.write_bytes(data)

    def swap(one: Path, other: Path) -> None:
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)

    found = [0, 0, 0]
    for trial in range(flips):
        epoch = generator.randrange(20)
        found[0] += caught((epoch,), lambda e=epoch, n=1 if trial % 2 else 64: flip(paths[e], n))
    for _ in range(cuts):
        epoch = generator.randrange(20)
        size = generator.randrange(paths[epoch].stat().st_size)
        found[1] += caught((epoch,), lambda e=epoch, n=size: os.truncate(paths[e], n))
    for _ in range(swaps):
        one, other = generator.sample(range(20), 2)
        found[2] += caught((one, other), lambda a=one, b=other: swap(paths[a], paths[b]))
    total = flips + cuts + swaps
    row(
        f"a wrong number is never shown ({flips} flips, {cuts} cuts, {swaps} swaps)",
        "all named",
        f"{sum(found)} of {total}; afterwards {len(run.verify())} problems",
        sum(found) == total and not run.verify(),
    )


def full_disk(store: Store, full: bool) -> None:
    """The n-th write finds no room."""
    numbers = range(1, 51) if full else range(1, 51, 5)
    real, whole, unsaid = files.write_all, 0, 0
    for nth in numbers:
        run_id = store.create_run({})
        left = [nth]

        def write_all(handle: int, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] <= 0:
                os.write(handle, bytes(data)[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle, data)

        committed = 0
        with store.writer(run_id) as writer:
            writer.declare([LAYER], total_epochs=None)
            files.write_all = write_all
            try:
                while True:
                    tensors = {"fc.weight": np.full((100, 120), committed, np.float32), "b": np.zeros(20_000)}
                    writer.commit(committed, tensors, {})
                    committed += 1
            except StoreFull:
                files.write_all = real
        run = store.run(run_id)
        named = run._database.select("SELECT count(*) FROM Cache WHERE filename IS NOT NULL")[0][0]
        orphans = len(list((run.path / "store").glob("??/??/*"))) - named
        whole += len(run.epochs) == committed and not run.verify() and orphans == 0
        unsaid += run.status != "failed" or "disk is full" not in run.head.message
    row(
        f"disk full at the n-th write ({len(numbers)} values of n)",
        "0 lost, 0 orphans",
        f"{whole} of {len(numbers)} whole, {unsaid} without a clear state",
        whole == len(numbers) and unsaid == 0,
    )


def eviction(store: Store, full: bool) -> None:
    """More than diskcache's default limit, with a stranger's default open in between."""
    size, wanted = 512 * 4608 * 4, 3_000_000_000 if full else 1_200_000_000
    count = -(-wanted // size)
    run_id = store.create_run({})
    layer = LayerInfo(name="fc", kind="linear", units=512, fan_in=4608, shape=(512, 4608))
    base = np.random.default_rng(0).random((512, 4608), np.float32)
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=None)
        for epoch in range(count):
            writer.commit(epoch, {"fc.weight": base + epoch}, {})
            if epoch % 50 == 20:
                with diskcache.Cache(str(store.root / run_id / "store")) as rogue:
                    rogue.cull()
    run = store.run(run_id)
    lost = (
        count
        - len(run.epochs)
        + sum(not np.array_equal(run.weights("fc", epoch), base + epoch) for epoch in range(len(run.epochs)))
    )
    row(
        f"nothing evicted ({count * size / 1e9:.1f} GB, a rogue open between)",
        "0",
        f"{lost} of {count}",
        lost == 0,
    )


READER = """
    import sys, time
    from prunescope.engine.store import Run, StoreError
    from pathlib import Path
    run, reads, errors = Run(Path(sys.argv[1])), 0, 0
    print("ready", flush=True)
    while run.status in ("queued", "running"):
        try:
            if len(run.epochs):
                run.weights("fc", run.epochs[-1])
                reads += 1
            errors += run.error is not None
        except StoreError:
            errors += 1
        time.sleep(0.05)
    print(reads, errors, flush=True)
"""


def readers(store: Store, full: bool) -> None:
    """Commits while 32 processes read."""
    count, commits = 32, 200 if full else 60
    run_id = store.create_run({})
    layer = LayerInfo(name="fc", kind="linear", units=300, fan_in=784, shape=(300, 784))
    weights, times = np.random.default_rng(0).random((300, 784), np.float32), []
    command = [sys.executable, "-c", textwrap.dedent(READER), str(store.root / run_id)]
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=None)
        writer.set_state("running")
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        for process in processes:
            assert process.stdout
            process.stdout.readline()
        for epoch in range(commits):
            begun = time.perf_counter()
            writer.commit(epoch, {"fc.weight": weights + epoch}, {})
            times.append(time.perf_counter() - begun)
            time.sleep(0.02)
        writer.set_state("done")
    reads, errors = np.sum([np.array(p.communicate()[0].split(), int) for p in processes], axis=0)
    p99 = 1e3 * statistics.quantiles(times, n=100)[98]
    row(
        f"{count} readers beside a writer ({commits} commits)",
        "0 errors, p99 < 250 ms",
        f"{errors} errors in {reads} reads, p99 {p99:.0f} ms",
        errors == 0 and p99 < 250,
    )
