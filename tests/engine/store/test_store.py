"""The log directory: making, finding, renaming, deleting and copying runs."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prunescope.engine.store import (
    RunDamaged,
    RunExists,
    RunLocked,
    RunNotFound,
    Store,
    StoreError,
    files,
)


def test_a_folder_that_is_not_there_is_a_store_without_runs(tmp_path):
    assert Store(tmp_path / "no" / "where").runs() == []


def test_ids_are_made_of_the_name_and_stay_apart(store):
    first = store.create_run({}, name="My Run: élan!")
    second = store.create_run({}, name="My Run: élan!")
    assert first == "my-run-elan"
    assert second.startswith("my-run-elan-")
    assert second != first
    assert store.run(first).name == "My Run: élan!"


def test_a_new_run_is_queued_and_has_nothing_yet(store):
    run = store.run(store.create_run({"lr": 0.5}, kind="train", parent="other"))
    assert (run.status, run.version, len(run.epochs), run.layers) == ("queued", 0, 0, ())
    assert (run.config, run.kind, run.parent, run.error) == ({"lr": 0.5}, "train", "other", None)


def test_runs_are_listed_newest_first(store):
    ids = [store.create_run({}, name=name) for name in "abc"]
    assert [run.id for run in store.runs()] == ids[::-1]


def test_the_same_run_object_answers_every_time(store):
    run_id = store.create_run({})
    assert store.run(run_id) is store.run(run_id) is store.runs()[0]


def test_an_unknown_run_is_named_beside_those_there_are(store):
    store.create_run({}, run_id="known")
    with pytest.raises(RunNotFound, match=r"no run 'unknown' in .*'known'"):
        store.run("unknown")


@pytest.mark.parametrize("bad", ["", "..", "../x", "a/b", "/etc", "A", "a" * 65, "-a", ".hidden", "a\n", "ü"])
def test_an_id_cannot_leave_the_folder(store, bad):
    with pytest.raises(StoreError, match="run id"):
        store.create_run({}, run_id=bad)
    with pytest.raises(RunNotFound):
        store.run(bad)


def test_an_id_that_is_taken_is_refused_also_in_the_trash(store):
    store.create_run({}, run_id="one")
    with pytest.raises(RunExists):
        store.create_run({}, run_id="one")
    store.delete("one")
    with pytest.raises(RunExists, match="trash"):
        store.create_run({}, run_id="one")


def test_a_config_that_json_cannot_hold_is_refused_before_anything_is_made(store):
    with pytest.raises(StoreError, match="config"):
        store.create_run({"model": object()})
    assert store.runs() == []


def test_folders_belong_to_their_owner_alone(store, record):
    run_id = record(1)
    for path in [store.run(run_id).path, store.run(run_id).path / "store"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_renaming_changes_what_is_shown_and_nothing_else(store, record):
    run_id = record(1)
    store.rename(run_id, " <b>new</b>\x07\n name ")
    assert store.run(run_id).name == "<b>new</b> name"
    assert Store(store.root).run(run_id).name == "<b>new</b> name"
    with pytest.raises(StoreError, match="visible"):
        store.rename(run_id, " \n ")


def test_a_deleted_run_can_be_brought_back(store, record, tensors):
    run_id = record(2)
    store.delete(run_id)
    assert (store.runs(), store.trash()) == ([], [run_id])
    store.restore(run_id)
    assert store.trash() == []
    assert np.array_equal(store.run(run_id).weights("fc", 1), tensors(1)["fc.weight"])


def test_undoing_brings_back_what_was_deleted_last(store):
    for turn in (1, 2):
        store.create_run({"turn": turn}, run_id="same")
        if turn == 1:
            store.delete("same")
            (store.root / ".trash" / "same").rename(store.root / ".trash" / "kept")
    (store.root / ".trash" / "kept").rename(store.root / ".trash" / "same")
    store.delete("same")
    store.restore("same")
    assert store.run("same").config == {"turn": 2}
    assert len(store.trash()) == 1


def test_emptying_the_trash_leaves_nothing(store, record):
    store.delete(record(1))
    store.empty_trash()
    assert store.trash() == []
    with pytest.raises(RunNotFound):
        store.restore("run")


def test_a_run_that_is_written_cannot_be_deleted(store):
    run_id = store.create_run({})
    with store.writer(run_id), pytest.raises(RunLocked, match="process"):
        store.delete(run_id)
    store.delete(run_id)


def test_a_copied_folder_is_the_same_run_elsewhere(store, record, tensors, tmp_path):
    run_id = record(3)
    for path in (store.root / run_id).rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), f"{path} knows where it is"
    shutil.copytree(store.root / run_id, tmp_path / "elsewhere" / "copy")
    shutil.rmtree(store.root)
    run = Store(tmp_path / "elsewhere").run("copy")
    assert np.array_equal(run.weights("fc", 2), tensors(2)["fc.weight"])
    assert run.verify() == []


def test_a_run_put_in_the_place_of_another_is_noticed(store, record):
    first, second = record(1, "first"), record(4, "second")
    assert len(store.run(first).epochs) == 1
    shutil.rmtree(store.root / first)
    (store.root / second).rename(store.root / first)
    assert len(store.run(first).epochs) == 4
    assert [run.id for run in store.runs()] == [first]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format": 99}', b'{"format": 1, "run": {}, "crc32": 0}', b"\xff" * 9],
)
def test_a_run_without_a_sound_description_says_so_and_the_others_work(store, record, content):
    bad, good = record(1, "bad"), record(1, "good")
    (store.root / bad / "run.json").write_bytes(content)
    runs = {run.id: run for run in Store(store.root).runs()}
    assert "run.json" in runs[bad].error
    assert runs[good].error is None
    assert len(runs[good].epochs) == 1


def test_an_altered_setting_is_not_shown_as_the_setting(store, record):
    path = store.root / record(1) / "run.json"
    altered = json.loads(path.read_text())
    altered["run"]["config"]["lr"] = 0.2
    path.write_text(json.dumps(altered))
    run = Store(store.root).run("run")
    assert "checksum" in run.error
    assert run.config == {}


def test_many_runs_stay_below_the_limit_of_open_files(store, monkeypatch):
    monkeypatch.setattr(store._handles, "_limit", 3)
    ids = [store.create_run({}, name=f"r{i}") for i in range(8)]
    for run_id in ids:
        with store.writer(run_id) as writer:
            writer.set_state("done")
    assert [run.status for run in store.runs()] == ["done"] * 8
    assert sum(run._database.is_open for run in store.runs()) <= 3


def test_a_closed_reader_still_learns_what_is_new(store):
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        run = store.run(run_id)
        for turn in range(20):
            before = run.version
            run.close()
            writer.set_state("running", str(turn))
            assert run.version == before + 1
            run.close()


def test_a_network_file_system_is_refused_for_writing(store, record, monkeypatch):
    run_id = record(1)
    monkeypatch.setattr(files, "network_filesystem", lambda path: "nfs4")
    with pytest.raises(StoreError, match=r"nfs4.*local disk"):
        store.create_run({})
    with pytest.raises(StoreError, match="nfs4"):
        store.writer(run_id)
    assert len(Store(store.root).run(run_id).epochs) == 1


def test_a_link_to_a_folder_is_not_followed(store, record, tmp_path):
    outside = tmp_path / "outside"
    (store.root / record(1)).rename(outside)
    (store.root / "link").symlink_to(outside)
    assert store.runs() == []
    with pytest.raises(RunNotFound):
        store.run("link")


def test_a_folder_that_is_gone_is_an_error_not_a_wait(store, record):
    run = store.run(record(1))
    run.close()
    shutil.rmtree(store.root)
    with pytest.raises((StoreError, RunDamaged)):
        run.weights("fc", 0)
    with pytest.raises(RunNotFound):
        store.writer("run")


def test_importing_the_store_imports_neither_torch_nor_dash():
    code = "import sys, prunescope.engine.store; print({'torch', 'dash', 'plotly'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_engine_never_names_pickle_or_eval():
    source = "".join(path.read_text() for path in Path(files.__file__).parent.glob("*.py"))
    for word in ("import pickle", "eval(", "exec(", "allow_pickle", "np.load"):
        assert word not in source
