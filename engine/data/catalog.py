"""The datasets by name, and what is known of each before anything is loaded. Imports no torch."""

from dataclasses import dataclass

from prunescope.engine.custom import is_custom, is_well_formed
from prunescope.engine.fields import unknown_name


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """One dataset.

    Attributes
    ----------
    loader : module and function inside `prunescope.engine.data`
    help : one line for forms and error texts
    input_shape, n_classes : None where only the data can tell
    files : what a downloaded dataset consists of, below the data folder
    packed : what is fetched for it, below the same folder: one file for each of `files`, or one for all
    mirrors : addresses below which the packed files are found; the first is the one to tell
    images : whether the inputs are pictures, which can be resized and have their pixels shuffled
    """

    loader: str
    help: str
    input_shape: tuple[int, ...] | None = None
    n_classes: int | None = None
    files: tuple[str, ...] = ()
    packed: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    images: bool = True

    def packed_as(self, file: str) -> str:
        """The packed file that holds one of `files`."""
        return self.packed[0] if len(self.packed) == 1 else self.packed[self.files.index(file)]


_IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CIFAR10 = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

DATASETS: dict[str, DatasetSpec] = {
    "digits": DatasetSpec(
        loader="builtin:load_digits",
        help="1,797 handwritten digits of 8×8 grey pixels; needs no download",
        input_shape=(1, 8, 8),
        n_classes=10,
    ),
    "xord": DatasetSpec(
        loader="xord:load_xord",
        help="Brutzkus & Globerson's XORD: pairs of ±1, positive iff a pair is equal",
        n_classes=2,
        images=False,
    ),
    "mnist": DatasetSpec(
        loader="vision:load_mnist",
        help="70,000 handwritten digits of 28×28 grey pixels (12 MB download)",
        input_shape=(1, 28, 28),
        n_classes=10,
        files=tuple(f"MNIST/raw/{name}" for name in _IDX),
        packed=tuple(f"MNIST/raw/{name}.gz" for name in _IDX),
        mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    ),
    "fashion-mnist": DatasetSpec(
        loader="vision:load_fashion_mnist",
        help="70,000 pieces of clothing, 28×28 grey (31 MB download)",
        input_shape=(1, 28, 28),
        n_classes=10,
        files=tuple(f"FashionMNIST/raw/{name}" for name in _IDX),
        packed=tuple(f"FashionMNIST/raw/{name}.gz" for name in _IDX),
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ),
    "cifar10": DatasetSpec(
        loader="vision:load_cifar10",
        help="60,000 colour photos of 32×32 in 10 classes (170 MB download)",
        input_shape=(3, 32, 32),
        n_classes=10,
        files=tuple(f"cifar-10-batches-py/{name}" for name in _CIFAR10),
        packed=("cifar-10-python.tar.gz",),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
    ),
    "cifar100": DatasetSpec(
        loader="vision:load_cifar100",
        help="60,000 colour photos of 32×32 in 100 classes (169 MB download)",
        input_shape=(3, 32, 32),
        n_classes=100,
        files=tuple(f"cifar-100-python/{name}" for name in ("train", "test", "meta")),
        packed=("cifar-100-python.tar.gz",),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
    ),
    "folder": DatasetSpec(
        loader="folder:load_folder", help="your own images: a folder with a folder per class"
    ),
}

DATASET_PATTERNS = "module:callable (from the shell only)"
CUSTOM = DatasetSpec(loader="own:load_own", help="module:callable")

CORRUPTIONS = {
    "none": "the images as they are",
    "shuffled-pixels": "one fixed permutation of the pixels, the same for every image",
    "random-pixels": "another permutation for each image",
    "gaussian": "noise with the mean and standard deviation of the images",
}


def dataset_problem(name: str) -> str | None:
    """What is wrong with a dataset's name, or None."""
    if name in DATASETS or (is_custom(name) and is_well_formed(name)):
        return None
    return unknown_name(name, DATASETS, patterns=DATASET_PATTERNS)


def dataset_spec(name: str) -> DatasetSpec:
    """The description of a dataset.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones.
    """
    if problem := dataset_problem(name):
        raise ValueError(f"dataset: {problem}")
    return DATASETS.get(name, CUSTOM)
