"""MNIST and CIFAR: torchvision reads them, we fetch them."""

import gzip
import hashlib
import io
import pickle
import socket
import struct
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from prunescope.engine.config import ConfigError, RunConfig, check_fits, check_within_reach
from prunescope.engine.data import DATASETS, load_dataset
from prunescope.engine.data._torchvision import import_torchvision
from prunescope.engine.data.fetch import FetchError, fetch

MNIST_FILES = {
    "train-images-idx3-ubyte": 6,
    "train-labels-idx1-ubyte": 6,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 3,
}


def idx_bytes(name, n):
    """A file of MNIST's format: magic number, sizes, then bytes; example i is a picture of value 10 i."""
    if "images" in name:
        return struct.pack(">IIII", 2051, n, 28, 28) + bytes(10 * i for i in range(n) for _ in range(784))
    return struct.pack(">II", 2049, n) + bytes(i % 10 for i in range(n))


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def mnist_folder(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, n in MNIST_FILES.items():
        (raw / name).write_bytes(idx_bytes(name, n))
    return tmp_path


@pytest.fixture
def dead_source():
    """An address on this machine at which nobody answers, for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@pytest.fixture
def web_server(tmp_path):
    """A server of files, with the folder they are in."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(folder=folder, url=f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()


def test_torchvision_can_be_imported_again_and_again():
    assert import_torchvision() is import_torchvision()
    assert import_torchvision().datasets.MNIST.resources


def test_mnist_is_read_where_it_is(mnist_folder):
    data = load_dataset("mnist", data_dir=mnist_folder, download=False)
    assert data.train_x.shape == (6, 1, 28, 28)
    assert data.val_x.shape == (3, 1, 28, 28)
    assert data.train_y.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.n_classes == 10
    # Values 0, 10, …, 50: mean 25, deviation √(3500/12) = 17.08.
    assert data.train_x[:, 0, 0, 0].numpy() == pytest.approx((np.arange(6) * 10 - 25) / 17.0783, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "official"),
    [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")],
)
def test_the_files_listed_without_torchvision_are_the_ones_it_reads(name, official):
    theirs = getattr(import_torchvision().datasets, official)
    if "MNIST" in official:
        expected = {f"{official}/raw/{packed.removesuffix('.gz')}" for packed, _ in theirs.resources}
    else:
        batches = [batch for batch, _ in theirs.train_list + theirs.test_list]
        expected = {f"{theirs.base_folder}/{file}" for file in [*batches, theirs.meta["filename"]]}
    assert set(DATASETS[name].files) == expected


@pytest.mark.parametrize(
    ("name", "official"),
    [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")],
)
def test_the_sources_told_without_torchvision_are_the_ones_it_fetches_from(name, official):
    theirs, spec = getattr(import_torchvision().datasets, official), DATASETS[name]
    if "MNIST" in official:
        assert list(spec.mirrors) == theirs.mirrors
        assert [file.rpartition("/")[2] for file in spec.packed] == [file for file, _ in theirs.resources]
        assert [spec.packed_as(file) for file in spec.files] == [f"{file}.gz" for file in spec.files]
    else:
        assert [mirror + file for mirror in spec.mirrors for file in spec.packed] == [theirs.url]
        assert {spec.packed_as(file) for file in spec.files} == {theirs.filename}


def test_offline_a_run_is_refused_before_it_starts_with_what_to_put_where(tmp_path, monkeypatch, dead_source):
    monkeypatch.setitem(DATASETS, "cifar10", replace(DATASETS["cifar10"], mirrors=(dead_source, dead_source)))
    config = RunConfig(dataset="cifar10", data_dir=str(tmp_path))
    check_fits(config)  # which a form asks at every change, so it must not touch the network
    with pytest.raises(ConfigError) as caught:
        check_within_reach(config)
    said = caught.value.problems["dataset"]
    assert "127.0.0.1: Connection refused" in said
    assert f"Put there: data_batch_1, {', '.join(f'data_batch_{n}' for n in range(2, 6))}, test_batch" in said
    assert str(tmp_path / "cifar-10-batches-py") in said
    assert f"They come from {dead_source}" in said


def test_one_source_that_answers_is_enough_and_a_refusal_is_told(tmp_path, monkeypatch, dead_source, web_server):
    config = RunConfig(dataset="mnist", data_dir=str(tmp_path))
    (web_server.folder / "train-images-idx3-ubyte.gz").write_bytes(b"something")
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=(dead_source, web_server.url)))
    check_within_reach(config)
    (web_server.folder / "train-images-idx3-ubyte.gz").unlink()
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=(web_server.url,)))
    with pytest.raises(ConfigError, match="answers 404 File not found"):
        check_within_reach(config)


def test_packed_files_put_there_by_hand_are_enough(tmp_path, monkeypatch, dead_source):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    packed = {f"{name}.gz": gzip.compress(idx_bytes(name, n)) for name, n in MNIST_FILES.items()}
    for name, content in packed.items():
        (raw / name).write_bytes(content)
    official = import_torchvision().datasets.MNIST
    monkeypatch.setattr(official, "mirrors", [dead_source])
    monkeypatch.setattr(official, "resources", [(name, md5(content)) for name, content in packed.items()])
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=(dead_source,)))
    check_within_reach(RunConfig(dataset="mnist", data_dir=str(tmp_path)))
    check_fits(RunConfig(dataset="mnist", data_dir=str(tmp_path), download=False))
    assert load_dataset("mnist", data_dir=tmp_path, download=False).train_x.shape == (6, 1, 28, 28)


def test_absence_is_told_before_anything_starts_when_nothing_may_be_fetched(tmp_path, mnist_folder):
    check_fits(RunConfig(dataset="mnist", data_dir=str(mnist_folder), download=False))
    with pytest.raises(ConfigError) as caught:
        check_fits(RunConfig(dataset="mnist", data_dir=str(tmp_path / "elsewhere"), download=False))
    said = caught.value.problems["download"]
    assert str(tmp_path / "elsewhere" / "MNIST" / "raw") in said
    assert all(name in said for name in MNIST_FILES)


def test_what_is_absent_and_must_not_be_fetched_is_named_with_its_place(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset("mnist", data_dir=tmp_path, download=False)
    said = str(caught.value)
    assert str(tmp_path / "MNIST" / "raw") in said
    assert all(name in said for name in MNIST_FILES)
    assert "downloading is switched off" in said


def test_offline_the_reason_and_the_source_are_told(tmp_path, monkeypatch):
    official = import_torchvision().datasets.FashionMNIST
    monkeypatch.setattr(official, "mirrors", [f"file://{tmp_path}/nowhere/"])
    with pytest.raises(FileNotFoundError, match=r"could not be fetched .*No such file") as caught:
        load_dataset("fashion-mnist", data_dir=tmp_path)
    assert f"They come from file://{tmp_path}/nowhere/. " in str(caught.value)


def test_damaged_files_are_not_taken_for_data(mnist_folder):
    (mnist_folder / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03short")
    with pytest.raises(ValueError, match="damaged"):
        load_dataset("mnist", data_dir=mnist_folder, download=False)


def test_mnist_is_fetched_unpacked_and_read_with_progress(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    resources = []
    for name, n in MNIST_FILES.items():
        packed = gzip.compress(idx_bytes(name, n))
        (source / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", md5(packed)))
    official = import_torchvision().datasets.MNIST
    monkeypatch.setattr(official, "mirrors", [f"file://{source}/"])
    monkeypatch.setattr(official, "resources", resources)
    seen = []
    data = load_dataset("mnist", data_dir=tmp_path / "data", progress=lambda *step: seen.append(step))
    assert data.train_x.shape == (6, 1, 28, 28)
    assert {name for name, _, _ in seen} == {f"{name}.gz" for name in MNIST_FILES}
    assert all(done == total > 0 for _, done, total in seen)
    # The second time nothing is fetched.
    load_dataset("mnist", data_dir=tmp_path / "data", progress=lambda *step: pytest.fail("fetched again"))


def test_cifar_is_fetched_unpacked_and_read(tmp_path, monkeypatch):
    official = import_torchvision().datasets.CIFAR10
    # One row is 1,024 reds, then greens, then blues.
    rows = np.repeat([[10, 20, 30], [40, 50, 60]], 1024, axis=1).astype(np.uint8)
    batch = pickle.dumps({"data": rows, "labels": [3, 7]})
    meta = pickle.dumps({"label_names": [f"class {number}" for number in range(10)]})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in {"data_batch_1": batch, "test_batch": batch, "batches.meta": meta}.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (tmp_path / official.filename).write_bytes(packed.getvalue())
    monkeypatch.setattr(official, "url", f"file://{tmp_path / official.filename}")
    monkeypatch.setattr(official, "tgz_md5", md5(packed.getvalue()))
    monkeypatch.setattr(official, "train_list", [["data_batch_1", md5(batch)]])
    monkeypatch.setattr(official, "test_list", [["test_batch", md5(batch)]])
    monkeypatch.setattr(official, "meta", official.meta | {"md5": md5(meta)})
    data = load_dataset("cifar10", data_dir=tmp_path / "data")
    assert data.train_x.shape == (2, 3, 32, 32)
    assert data.train_y.tolist() == [3, 7]
    assert data.class_names[3] == "class 3"
    # Each channel has two values, so standardised they are −1 and 1, wherever the pixel.
    assert data.train_x[0].numpy() == pytest.approx(-1, abs=1e-5)
    assert data.train_x[1].numpy() == pytest.approx(1, abs=1e-5)


def test_a_wrong_file_is_passed_over_for_the_next_source(tmp_path):
    (tmp_path / "bad").write_bytes(b"other")
    (tmp_path / "good").write_bytes(b"right")
    urls = [f"file://{tmp_path}/{name}" for name in ("absent", "bad", "good")]
    target = tmp_path / "folder" / "file"
    fetch(urls, target, md5(b"right"))
    assert target.read_bytes() == b"right"
    assert list(target.parent.iterdir()) == [target]


def test_a_download_that_breaks_off_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(FetchError, match="broke off after 4 of 100 bytes"):
            fetch([f"http://127.0.0.1:{server.getsockname()[1]}/file"], tmp_path / "file", md5(b"whole"))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_leaves_nothing_and_tells_what_each_source_said(tmp_path):
    (tmp_path / "bad").write_bytes(b"other")
    target = tmp_path / "folder" / "file"
    with pytest.raises(FetchError, match=r"absent.*; .*bad.*checksum differs"):
        fetch([f"file://{tmp_path}/absent", f"file://{tmp_path}/bad"], target, md5(b"right"))
    assert list(target.parent.iterdir()) == []
