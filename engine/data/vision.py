"""MNIST, Fashion-MNIST and CIFAR through torchvision's loaders, fetched when they are not there."""

import gzip
import shutil
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from prunescope.engine.data._torchvision import import_torchvision
from prunescope.engine.data.dataset import LoadOptions, Progress, RawData
from prunescope.engine.data.fetch import fetch
from prunescope.engine.data.places import default_data_dir
from prunescope.engine.data.source import absent


class Archive(NamedTuple):
    """A file to fetch, and the folder that its content belongs in."""

    urls: tuple[str, ...]
    md5: str
    name: str
    folder: Path


def load_mnist(options: LoadOptions) -> RawData:
    """60,000 + 10,000 images of 1×28×28."""
    return _load_mnist_like(options, import_torchvision().datasets.MNIST)


def load_fashion_mnist(options: LoadOptions) -> RawData:
    """60,000 + 10,000 images of 1×28×28. Xiao, Rasul & Vollgraf 2017."""
    return _load_mnist_like(options, import_torchvision().datasets.FashionMNIST)


def load_cifar10(options: LoadOptions) -> RawData:
    """50,000 + 10,000 images of 3×32×32. Krizhevsky 2009."""
    return _load_cifar(options, import_torchvision().datasets.CIFAR10)


def load_cifar100(options: LoadOptions) -> RawData:
    """50,000 + 10,000 images of 3×32×32 in 100 classes. Krizhevsky 2009."""
    return _load_cifar(options, import_torchvision().datasets.CIFAR100)


def _load_mnist_like(options: LoadOptions, official: Any) -> RawData:
    root = options.data_dir or default_data_dir()
    folder = root / official.__name__ / "raw"
    archives = {
        folder / name.removesuffix(".gz"): Archive(
            tuple(mirror + name for mirror in official.mirrors), md5, name, folder
        )
        for name, md5 in official.resources
    }
    train, val = _open(options, official, root, archives)
    return _raw(train, val, lambda data: data.numpy()[:, None])


def _load_cifar(options: LoadOptions, official: Any) -> RawData:
    root = options.data_dir or default_data_dir()
    archive = Archive((official.url,), official.tgz_md5, official.filename, root)
    names = [name for name, _ in official.train_list + official.test_list] + [official.meta["filename"]]
    train, val = _open(
        options, official, root, {root / official.base_folder / name: archive for name in names}
    )
    # Stored row by row with the colours last; networks take the colours first.
    return _raw(train, val, lambda data: np.ascontiguousarray(data.transpose(0, 3, 1, 2)))


def _open(options: LoadOptions, official: Any, root: Path, archives: dict[Path, Archive]) -> tuple[Any, Any]:
    """The official training and test sets, after fetching those archives whose files are missing.

    Raises
    ------
    FileNotFoundError
        Offline, or told not to download: which files belong where, and where they come from.
    ValueError
        When torchvision refuses the files that are there.
    """
    missing = [path for path in archives if not path.is_file()]
    wanted = {archives[path]: None for path in missing}
    try:
        for archive in wanted:
            allowed = archive if options.download else archive._replace(urls=())
            _fetch_and_unpack(allowed, options.progress)
    except OSError as error:
        left = tuple(path for path in missing if not path.is_file())
        source = archives[missing[0]].urls[0].rpartition("/")[0] + "/"
        raise FileNotFoundError(absent(options.name, left, source, str(error))) from error
    try:
        return official(str(root), train=True), official(str(root), train=False)
    except (RuntimeError, ValueError, EOFError) as error:
        raise ValueError(
            f"{options.name}: the files in {next(iter(archives)).parent} are damaged ({error}). "
            "Remove them, and they are fetched again."
        ) from error


def _fetch_and_unpack(archive: Archive, progress: Progress | None) -> None:
    packed = archive.folder / archive.name
    fetch(archive.urls, packed, archive.md5, progress)
    if packed.suffix == ".gz" and not packed.name.endswith(".tar.gz"):
        whole = packed.with_suffix("")
        part = whole.with_name(whole.name + ".part")
        with gzip.open(packed) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        # Renamed at the end, so that a kill leaves no half file that looks whole.
        part.replace(whole)
        return
    with tarfile.open(packed) as tar:
        tar.extractall(archive.folder, filter="data")


def _raw(train: Any, val: Any, to_array: Any) -> RawData:
    return RawData(
        train_x=to_array(train.data),
        train_y=np.asarray(train.targets),
        val_x=to_array(val.data),
        val_y=np.asarray(val.targets),
        class_names=tuple(train.classes),
    )
