"""A full disk is a clear error; all that was committed stays readable, and the state is saved."""

import errno
import os
import subprocess
import sys
import textwrap

import pytest
from prunescope.engine.store import Store, StoreFull, files


def value_files(run):
    return sorted(path.relative_to(run.path / "store") for path in (run.path / "store").glob("??/??/*"))


def named_files(run):
    rows = run._database.select("SELECT filename FROM Cache WHERE filename IS NOT NULL ORDER BY filename")
    return [name for (name,) in rows]


def check_full(run, committed):
    assert run.epochs.tolist() == [float(epoch) for epoch in range(committed)]
    assert run.verify() == []
    assert (run.head.state, run.status) == ("failed", "failed")
    assert "disk is full" in run.head.message
    assert [str(name) for name in value_files(run)] == named_files(run)


@pytest.mark.parametrize("nth", range(1, 10))
def test_the_nth_write_that_finds_no_room_loses_nothing(store, layers, tensors, monkeypatch, nth):
    run_id = store.create_run({})
    big = {f"b{i}": tensors(i)["fc.weight"] for i in range(2)}
    real, left = files.write_all, [nth]

    def write_all(handle, data):
        left[0] -= 1
        if left[0] == 0:
            os.write(handle, bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle, data)

    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=10)
        writer.set_state("running")
        monkeypatch.setattr(files, "write_all", write_all)
        committed = 0
        with pytest.raises(StoreFull, match=r"disk is full.*Free space"):
            for epoch in range(10):
                writer.commit(epoch, tensors(epoch) | big, {})
                committed += 1
        monkeypatch.setattr(files, "write_all", real)
        check_full(store.run(run_id), committed)
        writer.commit(committed, tensors(committed) | big, {})
        writer.set_state("running")
    assert len(store.run(run_id).epochs) == committed + 1


FILL = """
    import sys
    import numpy as np
    from prunescope.engine.store import LayerInfo, Store, StoreFull
    import resource
    store = Store(sys.argv[1])
    limit = int(sys.argv[3])
    layer = LayerInfo(name="fc", kind="linear", units=100, fan_in=120, shape=(100, 120))
    with store.writer(sys.argv[2]) as writer:
        writer.declare([layer], total_epochs=None)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            for epoch in range(2000):
                tensors = {"fc.weight": np.full((100, 120), epoch, np.float32)}
                writer.commit(epoch, tensors, {f"metric {i}": i for i in range(50)})
                print(epoch, flush=True)
        except StoreFull as error:
            print(error, flush=True)
"""


def fill(store, run_id, limit=0):
    """Commit until there is no room; the number of acknowledged epochs, and what the writer said."""
    command = [sys.executable, "-c", textwrap.dedent(FILL), str(store.root), run_id, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    *epochs, message = done.stdout.splitlines()
    return len(epochs), message


def test_a_limit_on_the_size_of_files_is_a_full_disk(store):
    run_id = store.create_run({})
    committed, message = fill(store, run_id, limit=300_000)
    assert committed > 0
    assert "disk is full" in message
    run = store.run(run_id)
    assert len(run.epochs) == committed
    assert run.verify() == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB, where the system lets us make one."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"cannot mount a small file system: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full_keeps_everything_committed(small_disk):
    store = Store(small_disk / "runs")
    run_id = store.create_run({})
    committed, message = fill(store, run_id)
    assert committed > 20
    assert "disk is full" in message
    run = store.run(run_id)
    check_full(run, committed)
    assert not (run.path / "ballast").exists()
    store.close()


def test_a_run_on_a_full_disk_opens_again_when_there_is_room(small_disk, layers, tensors):
    store = Store(small_disk / "runs")
    run_id = store.create_run({})
    filler = small_disk / "filler"
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=2)
        writer.commit(0, tensors(0), {})
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space"):
        while True:
            os.write(handle, bytes(1 << 12))
    os.close(handle)
    with pytest.raises(StoreFull), store.writer(run_id) as writer:
        for epoch in range(1, 500):
            writer.commit(epoch, tensors(epoch) | {"b": tensors(epoch)["fc.weight"]}, {})
    filler.unlink()
    run = store.run(run_id)
    assert run.verify() == []
    next_epoch = len(run.epochs)
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=2)
        writer.commit(next_epoch, tensors(next_epoch), {})
    assert len(run.epochs) == next_epoch + 1
    store.close()
