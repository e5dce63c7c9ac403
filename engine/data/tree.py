"""Find the images of a folder of class folders, in either of two layouts. Imports no torch."""

import random
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
VALIDATION_FOLDERS = ("val", "valid", "validation", "test")
# What a folder without its own split keeps back for validation.
VALIDATION_FRACTION = 0.2

Labelled = tuple[Path, int]


@dataclass(frozen=True, kw_only=True)
class ImageTree:
    """Paths and class numbers, sorted by class and name so that every machine sees one order.

    Attributes
    ----------
    train, val : (path, class number) pairs; `val` is empty when the folder has no split of its own
    """

    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    val: tuple[Labelled, ...]


def find_images(root: Path) -> ImageTree:
    """List `root/{train,val|test}/{class}/*` or `root/{class}/*`.

    Raises
    ------
    ValueError
        Naming the folder, and what was looked for in it.
    """
    if not root.is_dir():
        raise ValueError(f"{str(root)!r} is no folder: give one that holds a folder of images per class.")
    if (root / "train").is_dir():
        val_root = next((root / name for name in VALIDATION_FOLDERS if (root / name).is_dir()), None)
        if val_root is None:
            raise ValueError(f"{str(root)!r} has train but none of {', '.join(VALIDATION_FOLDERS)}: add one.")
        classes = _class_folders(root / "train")
        unknown = sorted(set(_class_folders(val_root)) - set(classes))
        if unknown:
            raise ValueError(f"{str(val_root)!r} has classes that train lacks: {', '.join(unknown)}.")
        return ImageTree(
            classes=classes, train=_labelled(root / "train", classes), val=_labelled(val_root, classes)
        )
    classes = _class_folders(root)
    return ImageTree(classes=classes, train=_labelled(root, classes), val=())


def split(tree: ImageTree, seed: int) -> ImageTree:
    """Keep back a fifth of each class (at least one image) where there is no split yet.

    Raises
    ------
    ValueError
        For a class of one image, which cannot be on both sides.
    """
    if tree.val:
        return tree
    rng = random.Random(seed)  # noqa: S311 (a split, no secret)
    train: list[Labelled] = []
    val: list[Labelled] = []
    for number, name in enumerate(tree.classes):
        members = [pair for pair in tree.train if pair[1] == number]
        if len(members) < 2:
            raise ValueError(f"class {name!r} has one image, and both training and validation need some.")
        kept = set(rng.sample(range(len(members)), max(1, round(VALIDATION_FRACTION * len(members)))))
        for index, pair in enumerate(members):
            (val if index in kept else train).append(pair)
    return ImageTree(classes=tree.classes, train=tuple(train), val=tuple(val))


def _class_folders(root: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(names) < 2:
        raise ValueError(f"{str(root)!r} has {len(names)} class folders: give each class its own.")
    return names


def _labelled(root: Path, classes: tuple[str, ...]) -> tuple[Labelled, ...]:
    found = tuple(
        (path, number)
        for number, name in enumerate(classes)
        if (root / name).is_dir()
        for path in sorted((root / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    missing = sorted(set(range(len(classes))) - {number for _, number in found})
    if missing:
        raise ValueError(
            f"{str(root / classes[missing[0]])!r} has no images ({', '.join(sorted(SUFFIXES))}): "
            "add some, or remove the folder."
        )
    return found
