"""A stranger's run folder runs no code, leaves the folder alone and does not hang; the audit hook watches."""

import os
import pickle
import sqlite3
from contextlib import suppress

import numpy as np
import pytest
from prunescope.engine.store import RunDamaged, Store, StoreError, records

KEY = "w/0000/000000001000000"


class Payload:
    """What unpickling it would do: leave a file named by the environment."""

    def __reduce__(self):
        return os.system, ("touch $PRUNESCOPE_TEST_CANARY",)


@pytest.fixture
def folder(store, record, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_TEST_CANARY", str(tmp_path / "canary"))
    return store.root / record(3)


@pytest.fixture
def outside(tmp_path):
    """Something outside the log directory that must stay as it is."""
    path = tmp_path / "outside.txt"
    path.write_bytes(b"private")
    return path


def execute(folder, *statements):
    database = sqlite3.connect(folder / "store" / "cache.db")
    with database:
        for statement in statements:
            database.execute(*statement) if isinstance(statement, tuple) else database.execute(statement)
    database.close()


def touch_everything(store, run_id):
    """Read all there is to read and open it for writing; the errors on the way."""
    errors = []
    run = Store(store.root).run(run_id)
    for read in (
        lambda: run.trajectory("fc"),
        lambda: run.trajectory("conv"),
        lambda: [run.arrays(epoch) for epoch in (0, 1, 2)],
        run.evaluation_data,
        run.verify,
        run.log_tail,
        lambda: (run.name, run.status, run.head, run.metrics(), run.meta, run.layers, run.error),
    ):
        try:
            read()
        except StoreError as error:
            errors.append(str(error))
    run.close()
    try:
        with store.writer(run_id) as writer:
            writer.requests()
            writer.load_checkpoint()
            writer.set_state("done")
    except StoreError as error:
        errors.append(str(error))
    return errors


def pickled_value(folder, outside):
    execute(folder, ("UPDATE Cache SET mode=4, value=? WHERE key=?", (pickle.dumps(Payload()), KEY)))


def pickled_value_in_a_file(folder, outside):
    name = "aa/bb/" + "0" * 28 + ".val"
    path = folder / "store" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(Payload()))
    execute(folder, ("UPDATE Cache SET mode=4, value=NULL, filename=? WHERE key=?", (name, KEY)))


def pickled_head(folder, outside):
    execute(folder, ("UPDATE Cache SET mode=4, value=? WHERE key='head'", (pickle.dumps(Payload()),)))


def pickled_key(folder, outside):
    execute(folder, ("UPDATE Cache SET key=?, raw=0 WHERE key=?", (pickle.dumps(Payload()), KEY)))


def named_file(name):
    def plant(folder, outside):
        path = name.format(outside=outside)
        execute(folder, ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key=?", (path, KEY)))

    return plant


def linked_value(folder, outside):
    name = "aa/bb/" + "0" * 28 + ".val"
    (folder / "store/aa/bb").mkdir(parents=True)
    (folder / "store" / name).symlink_to(outside)
    execute(folder, ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key=?", (name, KEY)))


def linked_folder(folder, outside):
    (folder / "store/aa").symlink_to(outside.parent)
    named_file("aa/bb/" + "0" * 28 + ".val")(folder, outside)


def piped_value(folder, outside):
    name = "aa/bb/" + "0" * 28 + ".val"
    (folder / "store/aa/bb").mkdir(parents=True)
    os.mkfifo(folder / "store" / name)
    execute(folder, ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key=?", (name, KEY)))


def trigger(folder, outside):
    execute(folder, "CREATE TRIGGER evil AFTER UPDATE ON Cache BEGIN DELETE FROM Cache; END")


def extra_table(folder, outside):
    execute(folder, "CREATE TABLE extra (x)")


def view_for_a_table(folder, outside):
    execute(folder, "ALTER TABLE Cache RENAME TO Other", "CREATE VIEW Cache AS SELECT * FROM Other")


def planted_setting(folder, outside):
    execute(folder, "INSERT INTO Settings VALUES ('sqlite_temp_store_directory', '/elsewhere')")


def huge_shape(folder, outside):
    layers = [
        {"name": "fc", "kind": "linear", "units": 2**40, "fan_in": 1, "shape": [2**40], "dtype": "float32"}
    ]
    data = records.pack_json({"layers": layers, "meta": {}}).joined()
    execute(folder, ("UPDATE Cache SET value=? WHERE key='meta/layers'", (data,)))


def one_file_for_all_epochs(folder, outside):
    name = "aa/bb/" + "0" * 28 + ".val"
    (folder / "store/aa/bb").mkdir(parents=True)
    (folder / "store" / name).write_bytes(bytes(records.rows_size("float32", (100, 120))))
    execute(folder, ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key LIKE 'w/0000/%'", (name,)))


def huge_sparse_file(folder, outside):
    name = "aa/bb/" + "0" * 28 + ".val"
    (folder / "store/aa/bb").mkdir(parents=True)
    with (folder / "store" / name).open("wb") as file:
        file.truncate(1 << 42)
    execute(folder, ("UPDATE Cache SET mode=2, value=NULL, filename=? WHERE key LIKE 's/%'", (name,)))


def linked(name):
    def plant(folder, outside):
        path = folder / name
        if path.is_dir():
            path.rename(path.with_name("moved"))
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(outside)

    return plant


def piped(name):
    def plant(folder, outside):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return plant


def journal_that_names_another_file(folder, outside):
    (folder / "store/cache.db-journal").write_bytes(
        b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + str(outside).encode()
    )


def deep_json(folder, outside):
    text = ("[" * 100_000).encode()
    header = records.Header(records.JSON, records.NO_LAYER, 1_000_000, len(text), 0)
    data = records.pack(header, [text]).joined()
    execute(folder, ("UPDATE Cache SET value=? WHERE key='m/000000001000000'", (data,)))


def head_of_other_types(folder, outside):
    data = records.pack_json({"version": "x", "n_snapshots": [], "state": {}}).joined()
    execute(folder, ("UPDATE Cache SET value=? WHERE key='head'", (data,)))


HOSTILE = {
    "a pickled value": pickled_value,
    "a pickled value in a file": pickled_value_in_a_file,
    "a pickled head": pickled_head,
    "a pickled key": pickled_key,
    "an absolute file name": named_file("{outside}"),
    "a file name with ..": named_file("../../../outside.txt"),
    "a file name that hides ..": named_file("aa/../../../../outside.txt"),
    "a device": named_file("/dev/zero"),
    "a linked value": linked_value,
    "a linked folder of values": linked_folder,
    "a pipe for a value": piped_value,
    "a trigger": trigger,
    "an extra table": extra_table,
    "a view for a table": view_for_a_table,
    "a planted setting": planted_setting,
    "a huge shape": huge_shape,
    "one file for all epochs": one_file_for_all_epochs,
    "a huge sparse file": huge_sparse_file,
    "a linked database": linked("store/cache.db"),
    "a linked log": linked("store/cache.db-wal"),
    "a linked index": linked("store/cache.db-shm"),
    "a linked store": linked("store"),
    "a linked lock": linked("lock"),
    "a linked heartbeat": linked("heartbeat"),
    "a linked run.json": linked("run.json"),
    "a pipe for run.json": piped("run.json"),
    "a pipe for the lock": piped("lock"),
    "a pipe for the database": piped("store/cache.db"),
    "a journal that names another file": journal_that_names_another_file,
    "deep json": deep_json,
    "a head of other types": head_of_other_types,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_named_and_does_nothing(store, record, folder, outside, tmp_path, kind, request, tensors):
    record(1, "good")
    HOSTILE[kind](folder, outside)
    before = outside.stat().st_mtime_ns
    request.getfixturevalue("no_code")
    errors = touch_everything(store, folder.name)
    assert errors, "nothing was noticed"
    assert not (tmp_path / "canary").exists()
    assert (outside.read_bytes(), outside.stat().st_mtime_ns) == (b"private", before)
    good = Store(store.root).run("good")
    assert np.array_equal(good.weights("fc", 0), tensors(0)["fc.weight"])
    good.close()


@pytest.mark.parametrize("name", ["name", "log.txt", "evaluation.data", "control", "ckpt", "ballast"])
@pytest.mark.parametrize("plant", [linked, piped])
def test_links_and_pipes_in_the_lesser_places_show_and_harm_nothing(
    store, folder, outside, no_code, name, plant
):
    if plant is piped and (folder / name).is_dir():
        (folder / name).rename(folder / "moved")
    plant(name)(folder, outside)
    touch_everything(store, folder.name)
    run = Store(store.root).run(folder.name)
    assert run.name == "run"
    assert run.log_tail() == []
    if name == "control":
        with pytest.raises(StoreError):
            run.request("stop")
    run.close()
    assert outside.read_bytes() == b"private"


def test_a_run_that_deletes_nothing_outside_itself(store, folder, outside):
    """The next writer removes orphans; names and links that lead elsewhere are none."""
    named_file("../../../outside.txt")(folder, outside)
    (folder / "store" / "aa").mkdir()
    (folder / "store" / "aa" / "bb").symlink_to(outside.parent)
    (outside.parent / ("1" * 28 + ".val")).write_text("x")
    with suppress(StoreError):
        store.writer(folder.name).close()
    assert outside.read_bytes() == b"private"
    assert (outside.parent / ("1" * 28 + ".val")).exists()


def test_names_are_text_whatever_they_hold(store, record):
    name = "<script>alert(1)</script>\u202e\x1b[31m"
    run = store.run(store.create_run({}, name=name))
    assert run.name == "<script>alert(1)</script> [31m"
    assert run.id.isascii()


def test_the_disk_refuses_whatever_it_does_not_know(store, record):
    with store.writer(record(1)) as writer:
        cache = writer._ledger._cache
        for key in (None, 1, 1.5, ("a",), b"a", np.int64(1)):
            with pytest.raises(StoreError, match="keys are text"):
                cache.set(key, records.pack_json(1))
            with pytest.raises(StoreError):
                cache.get(key)
        for value in (1, "x", None, b"x", object(), [1]):
            with pytest.raises(StoreError, match="only a record"):
                cache.set("x", value)
        with pytest.raises(RunDamaged):
            cache.disk.get(b"\x80", False)
        with pytest.raises(RunDamaged):
            cache.disk.fetch(4, None, pickle.dumps(1), False)
