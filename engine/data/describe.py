"""What a dataset will look like, told without loading it. Imports no torch."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prunescope.engine.data.catalog import dataset_spec
from prunescope.engine.data.places import as_folder, default_data_dir
from prunescope.engine.data.tree import find_images

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig

# Small enough for the zoo's nets, and what the common small-image datasets have.
FOLDER_IMAGE_SIZE = 32


class Facts(NamedTuple):
    """Shape of one input and number of classes; None where only loading can tell."""

    input_shape: tuple[int, ...] | None
    n_classes: int | None


def describe_dataset(config: "RunConfig") -> Facts:
    """The shape and the classes of the data that a run asks for.

    A folder of images is listed; when only opening every picture would tell grey from colour,
    colour is assumed, which no model treats differently.

    Raises
    ------
    ValueError
        When the folder is not there or has no classes.
    """
    spec = dataset_spec(config.dataset)
    size = config.image_size
    if config.dataset == "xord":
        return Facts((config.pairs, 2), 2)
    if config.dataset == "folder":
        side = size or FOLDER_IMAGE_SIZE
        classes = find_images(as_folder(config.data_dir or ".")).classes
        return Facts((1 if config.color == "grey" else 3, side, side), len(classes))
    shape = spec.input_shape
    if shape and size:
        shape = (shape[0], size, size)
    return Facts(shape, spec.n_classes)


def data_folder(config: "RunConfig") -> Path:
    """Where a downloadable dataset of this run is, or will be."""
    return as_folder(config.data_dir) if config.data_dir else default_data_dir()


def missing_files(config: "RunConfig") -> tuple[Path, ...]:
    """Files of a downloadable dataset that are not there yet, packed or unpacked."""
    root, spec = data_folder(config), dataset_spec(config.dataset)
    return tuple(
        root / name
        for name in spec.files
        if not (root / name).is_file() and not (root / spec.packed_as(name)).is_file()
    )
