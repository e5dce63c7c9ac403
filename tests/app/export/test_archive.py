"""A run travels as a ZIP; a hostile ZIP stays outside."""

import stat
import zipfile

import numpy as np
import pytest
from prunescope.app.exporting import archive
from prunescope.app.exporting.collect import ExportError
from prunescope.engine.store import Store


@pytest.fixture
def packed(papers, tmp_path):
    path = tmp_path / "small.zip"
    archive.pack(papers.run("small"), path)
    return path


def test_a_run_arrives_with_all_its_numbers(papers, packed, tmp_path):
    store = Store(tmp_path / "elsewhere")
    there, here = store.run(archive.unpack(store, packed)), papers.run("small")
    assert (there.id, there.name, there.config, there.status) == (here.id, here.name, here.config, here.status)
    np.testing.assert_array_equal(there.trajectory("fc1"), here.trajectory("fc1"))
    assert [name for name in store.root.iterdir() if name.name.startswith(".")] == []


def test_a_run_with_large_layers_arrives_too(make_run, tmp_path):
    # From some size on, weight vectors are files beside the database.
    source = Store(tmp_path / "runs")
    make_run(source, "wide", 300, 200, 2)
    archive.pack(source.run("wide"), tmp_path / "wide.zip")
    store = Store(tmp_path / "elsewhere")
    there = store.run(archive.unpack(store, tmp_path / "wide.zip"))
    np.testing.assert_array_equal(there.trajectory("fc1"), source.run("wide").trajectory("fc1"))


def test_the_same_run_gives_the_same_zip(papers, packed, tmp_path):
    archive.pack(papers.run("small"), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_a_second_import_gets_an_id_of_its_own(packed, tmp_path):
    store = Store(tmp_path / "elsewhere")
    assert [archive.unpack(store, packed) for _ in range(3)] == ["small", "small-2", "small-3"]


def test_a_run_is_packed_while_it_is_written(make_run, tmp_path):
    source = Store(tmp_path / "runs")
    run_id = make_run(source, "live", 4, 3, 2)
    with source.writer(run_id) as writer:
        writer.set_state("running")
        archive.pack(source.run(run_id), tmp_path / "live.zip")
    store = Store(tmp_path / "elsewhere")
    assert len(store.run(archive.unpack(store, tmp_path / "live.zip")).epochs) == 2


def rewritten(packed, target, change):
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as sink:
        for item in source.infolist():
            sink.writestr(item, source.read(item))
        change(sink)
    return target


@pytest.mark.parametrize(
    "name",
    ["../evil", "small/../../evil", "/etc/evil", "small/store/../../../evil", "small\\evil", "C:evil", "small/evil.py",
     "other/run.json", "small/ckpt/evil.ckpt", "small/store/cache.db-wal"],
)  # fmt: skip
def test_nothing_is_written_outside_a_run_or_beside_its_files(packed, tmp_path, name):
    bad = rewritten(packed, tmp_path / "bad.zip", lambda sink: sink.writestr(name, b"x"))
    store = Store(tmp_path / "deep" / "elsewhere")
    before = {path for path in tmp_path.rglob("*") if "elsewhere" not in path.parts}
    with pytest.raises(ExportError):
        archive.unpack(store, bad)
    assert store.runs() == []
    assert {path for path in tmp_path.rglob("*") if "elsewhere" not in path.parts} - before <= {tmp_path / "deep"}


def test_links_are_refused(packed, tmp_path):
    def add_link(sink):
        link = zipfile.ZipInfo("small/log.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        sink.writestr(link, "/etc/passwd")

    with pytest.raises(ExportError, match=r"small/log\.txt"):
        archive.unpack(Store(tmp_path / "e"), rewritten(packed, tmp_path / "bad.zip", add_link))


def test_a_bomb_is_refused(packed, tmp_path):
    def add_bomb(sink):
        sink.writestr("small/log.txt", b"\0" * 30_000_000)

    with pytest.raises(ExportError, match="fold"):
        archive.unpack(Store(tmp_path / "e"), rewritten(packed, tmp_path / "bad.zip", add_bomb))


def test_a_size_limit_holds(packed, tmp_path):
    with pytest.raises(ExportError, match="GiB"):
        archive.unpack(Store(tmp_path / "e"), packed, most_bytes=1000)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no", b"\0" * 100])
def test_what_is_no_zip_is_said_to_be_none(tmp_path, data):
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(ExportError, match="no ZIP"):
        archive.unpack(Store(tmp_path / "e"), path)


def test_a_damaged_run_is_not_placed(packed, tmp_path):
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(bad, "w") as sink:
        for item in source.infolist():
            data = source.read(item)
            sink.writestr(item.filename, data[: len(data) // 2] if item.filename.endswith("cache.db") else data)
    store = Store(tmp_path / "e")
    with pytest.raises(ExportError, match="Nothing was imported"):
        archive.unpack(store, bad)
    assert store.runs() == []
