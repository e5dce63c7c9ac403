"""Runs on media that cannot be written, and archives of runs, open without an attempt to write."""

import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from prunescope.engine.store import Store, StoreError


@pytest.fixture
def read_only(store):
    """Make the store's folder unwritable even for root: a read-only mount of itself."""
    mounted = []

    def make():
        place = str(store.root)
        if os.geteuid() != 0:
            set_modes(store.root, 0o500, 0o400)
            return
        bound = subprocess.run(["mount", "--bind", place, place], capture_output=True, check=False)
        if bound.returncode:
            pytest.skip(f"root, and cannot mount: {bound.stderr.decode().strip()}")
        mounted.append(place)
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True, capture_output=True)

    yield make
    store.close()
    if mounted:
        subprocess.run(["umount", *mounted], check=True)
    else:
        set_modes(store.root, 0o700, 0o600)


def set_modes(root, folders, others):
    for path in sorted(root.rglob("*"), reverse=folders == 0o500):
        path.chmod(folders if path.is_dir() else others)
    root.chmod(folders)


def contents(root):
    return {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


def test_a_finished_run_opens_on_a_read_only_disk(store, record, tensors, read_only):
    run_id = record(3)
    read_only()
    before = contents(store.root)
    run = Store(store.root).run(run_id)
    assert run.error is None
    assert run.status == "done"
    assert np.array_equal(run.trajectory("fc")[2], tensors(2)["fc.weight"])
    assert run.verify() == []
    assert contents(store.root) == before
    run.close()


def test_what_would_write_says_that_it_cannot(store, record, read_only):
    run_id = record(1)
    read_only()
    frozen = Store(store.root)
    for act in (
        lambda: frozen.create_run({}),
        lambda: frozen.rename(run_id, "x"),
        lambda: frozen.delete(run_id),
        lambda: frozen.writer(run_id),
        lambda: frozen.run(run_id).request("stop"),
    ):
        with pytest.raises(StoreError):
            act()
    frozen.close()


LEAVE = """
    import os, sys
    import numpy as np
    from prunescope.engine.store import LayerInfo, Store
    store = Store(sys.argv[1])
    writer = store.writer(sys.argv[2])
    writer.declare([LayerInfo(name="fc", kind="linear", units=2, fan_in=2, shape=(2, 2))], total_epochs=None)
    for epoch in range(3):
        writer.commit(epoch, {"fc.weight": np.full((2, 2), epoch, np.float32)}, {})
    os._exit(9)
"""


@pytest.mark.parametrize("with_index", [True, False])
def test_the_log_of_a_killed_writer_is_read_on_a_read_only_disk(store, read_only, with_index):
    run_id = store.create_run({})
    subprocess.run([sys.executable, "-c", textwrap.dedent(LEAVE), str(store.root), run_id], check=False)
    folder = store.root / run_id / "store"
    assert (folder / "cache.db-wal").stat().st_size > 0
    if not with_index:
        (folder / "cache.db-shm").unlink()
    read_only()
    run = Store(store.root).run(run_id)
    assert run.epochs.tolist() == [0, 1, 2]
    assert np.array_equal(run.trajectory("fc")[:, 0, 0], [0, 1, 2])
    run.close()


def test_an_archive_without_the_empty_parts_of_a_run_opens(store, record, tensors, tmp_path):
    """What `zip` or `git` keep of a run: no empty folders, no lock, no heartbeat."""
    run_id = record(3)
    source, target = store.root / run_id, tmp_path / "archive" / run_id
    target.mkdir(parents=True)
    shutil.copy(source / "run.json", target)
    shutil.copytree(source / "store", target / "store")
    run = Store(tmp_path / "archive").run(run_id)
    assert run.status == "done"
    assert np.array_equal(run.weights("fc", 2), tensors(2)["fc.weight"])


def test_a_reader_of_frozen_media_notices_when_it_is_written_after_all(store, layers, tensors, monkeypatch):
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=2)
        writer.commit(0, tensors(0), {})
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    run = Store(store.root).run(run_id)
    assert len(run.epochs) == 1
    assert run._database._frozen is not None
    with store.writer(run_id) as writer:
        writer.commit(1, tensors(1), {})
        assert len(run.epochs) == 2
    run.close()
