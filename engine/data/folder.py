"""Any folder of class folders, grey or colour, resized to one size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from prunescope.engine.data.dataset import LoadOptions, Progress, RawData
from prunescope.engine.data.describe import FOLDER_IMAGE_SIZE
from prunescope.engine.data.tree import Labelled, find_images, split

# Modes whose pixels are one number: opened as grey unless colour is asked for.
_GREY_MODES = frozenset({"1", "L", "LA", "I;16", "I;16L", "I;16B"})


def load_folder(options: LoadOptions) -> RawData:
    """Images of `root/{train,val|test}/{class}/*`, or of `root/{class}/*` with a fifth kept back.

    Raises
    ------
    ValueError
        Naming the folder that does not fit, or the file that is no image.
    """
    if options.data_dir is None:
        raise ValueError("data_dir: is empty. Give the folder that holds a folder of images for each class.")
    tree = split(find_images(options.data_dir), options.seed)
    grey = options.color == "grey" or (options.color == "auto" and _all_grey([*tree.train, *tree.val]))
    side = options.image_size or FOLDER_IMAGE_SIZE
    return RawData(
        train_x=_read("training images", tree.train, grey, side, options.progress),
        train_y=_labels(tree.train),
        val_x=_read("validation images", tree.val, grey, side, options.progress),
        val_y=_labels(tree.val),
        class_names=tree.classes,
    )


def _all_grey(images: Sequence[Labelled]) -> bool:
    """Whether every file stores grey pixels; only headers are read."""
    return all(_mode(path) in _GREY_MODES for path, _ in images)


def _mode(path: Path) -> str:
    with _opened(path) as image:
        return image.mode


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{str(path)!r} is no readable image ({error}): remove it.") from error


def _read(
    what: str, images: Sequence[Labelled], grey: bool, side: int, progress: Progress | None
) -> np.ndarray:
    """Pixels as (n, 1 or 3, side, side) uint8."""
    pixels = np.empty((len(images), 1 if grey else 3, side, side), np.uint8)
    for index, (path, _) in enumerate(images):
        with _opened(path) as image:
            try:
                fitted = _eight_bit(image, grey).resize((side, side), Image.Resampling.BILINEAR)
            except (OSError, ValueError) as error:
                raise ValueError(f"{str(path)!r} cannot be used ({error}): remove it.") from error
        picture = np.asarray(fitted)
        pixels[index] = picture[None] if grey else picture.transpose(2, 0, 1)
        if progress is not None:
            progress(what, index + 1, len(images))
    return pixels


def _eight_bit(image: Image.Image, grey: bool) -> Image.Image:
    """The image in mode L or RGB."""
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which turns most 16-bit images white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits and no known range")
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("L" if grey else "RGB")


def _labels(images: Sequence[Labelled]) -> np.ndarray:
    return np.array([number for _, number in images], np.int64)
