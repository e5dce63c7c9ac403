"""A wrong number is never shown: what is cut, flipped, swapped or missing is named, and other runs work."""

import random
import sqlite3

import numpy as np
import pytest
from prunescope.engine.store import RunDamaged, Store, StoreError

SEED = 0


def value_files(path):
    return sorted((path / "store").glob("??/??/*.val"))


def reading(store, run_id, tensors):
    """Read everything; either a named error, or exactly what was written."""
    run = Store(store.root).run(run_id)
    try:
        if run.error:
            return run.error
        for layer, weight in (("fc", "fc.weight"), ("conv", "conv.weight")):
            rows = run.trajectory(layer)
            for epoch, row in zip(run.epochs, rows, strict=True):
                assert np.array_equal(row.ravel(), tensors(epoch)[weight].ravel())
        for epoch in run.epochs:
            for name, array in run.arrays(epoch).items():
                assert np.array_equal(array, tensors(epoch)[name])
        assert np.array_equal(run.metrics()["val/accuracy"], run.epochs / 10)
        assert run.config == {"lr": 0.1}
    except StoreError as error:
        assert run.error is not None
        return str(error)
    finally:
        run.close()
    return None


@pytest.fixture
def damaged(store, record):
    record(3, "good")
    return record(3, "bad")


@pytest.fixture
def path(store, damaged):
    return store.root / damaged


def large_run(store, tensors, layers):
    """A run whose "fc" lies in value files."""
    from dataclasses import replace

    run_id = store.create_run({"lr": 0.1}, name="large")
    with store.writer(run_id) as writer:
        writer.declare([replace(layers[0], fan_in=480, shape=(100, 480))], total_epochs=3)
        for epoch in range(3):
            writer.commit(epoch, {"fc.weight": np.tile(tensors(epoch)["fc.weight"], 4)}, {})
    return run_id


@pytest.mark.parametrize("kind", ["flip", "cut", "empty", "longer", "missing", "folder"])
def test_a_damaged_value_file_is_named_and_the_rest_stays_readable(store, record, tensors, layers, kind):
    good, bad = record(2, "good"), large_run(store, tensors, layers)
    run = store.run(bad)
    first = run.trajectory("fc").copy()
    victim, *_ = value_files(run.path)
    data = victim.read_bytes()
    victim.unlink()
    if kind == "flip":
        victim.write_bytes(data[:5000] + bytes([data[5000] ^ 16]) + data[5001:])
    elif kind == "cut":
        victim.write_bytes(data[:-100])
    elif kind == "empty":
        victim.write_bytes(b"")
    elif kind == "longer":
        victim.write_bytes(data + b"x")
    elif kind == "folder":
        victim.mkdir()
    with pytest.raises(RunDamaged, match=r"large.*(layer 'fc' at epoch|store/)"):
        run.trajectory("fc")
    assert run.error is not None
    whole = 0
    for epoch in range(3):
        try:
            assert np.array_equal(run.weights("fc", epoch), first[epoch])
            whole += 1
        except RunDamaged:
            continue
    assert whole == 2
    assert len(run.verify()) >= 1
    assert reading(store, good, tensors) is None


def test_swapped_value_files_are_noticed(store, tensors, layers):
    run = store.run(large_run(store, tensors, layers))
    one, other, *_ = value_files(run.path)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(RunDamaged, match="swapped"):
        run.trajectory("fc")


def test_swapped_rows_of_the_database_are_noticed(store, damaged, path, tensors):
    with sqlite3.connect(path / "store" / "cache.db") as database:
        keys = ("w/0001/000000000000000", "w/0001/000000001000000")
        values = [
            database.execute("SELECT value FROM Cache WHERE key=?", (key,)).fetchone()[0] for key in keys
        ]
        for key, value in zip(keys, values[::-1], strict=True):
            database.execute("UPDATE Cache SET value=? WHERE key=?", (value, key))
    database.close()
    assert "swapped" in reading(store, damaged, tensors)


@pytest.mark.parametrize("key", ["head", "meta/layers", "m/%", "w/0000/%1000000", "s/%2000000"])
def test_a_missing_row_is_noticed(store, damaged, path, tensors, key):
    with sqlite3.connect(path / "store" / "cache.db") as database:
        assert database.execute("DELETE FROM Cache WHERE key LIKE ?", (key,)).rowcount
    database.close()
    assert reading(store, damaged, tensors) is not None


def test_a_bit_flipped_anywhere_in_the_database_never_changes_a_number(store, damaged, path, tensors):
    database = path / "store" / "cache.db"
    whole = database.read_bytes()
    assert (
        not (path / "store" / "cache.db-wal").exists() or not (path / "store" / "cache.db-wal").stat().st_size
    )
    generator = random.Random(SEED)
    for _ in range(60):
        data = bytearray(whole)
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        database.write_bytes(data)
        reading(store, damaged, tensors)  # an error or the very numbers, checked there
    assert reading(store, "good", tensors) is None


def test_a_cut_database_is_named(store, damaged, path, tensors):
    database = path / "store" / "cache.db"
    whole = database.read_bytes()
    for length in (0, 10, 99, 4096, len(whole) // 2, len(whole) - 4096):
        database.write_bytes(whole[:length])
        assert reading(store, damaged, tensors) is not None
    runs = {run.id: run for run in Store(store.root).runs()}
    assert runs["bad"].error
    assert runs["bad"].status == "failed"
    assert runs["bad"].layers == ()
    assert runs["good"].error is None
