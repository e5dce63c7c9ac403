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
        unknown = sorted(set(_class_folders(val_root, at_least=1)) - set(classes))
        if unknown:
            raise ValueError(f"{str(val_root)!r} has classes that train lacks: {', '.join(unknown)}.")
        # A class may be missing from validation: its accuracy is then simply not measured.
        held_out = tuple(name for name in classes if (val_root / name).is_dir())
        return ImageTree(
            classes=classes,
            train=_labelled(root / "train", classes, classes),
            val=_labelled(val_root, classes, held_out),
        )
    classes = _class_folders(root)
    return ImageTree(classes=classes, train=_labelled(root, classes, classes), val=())


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


def _class_folders(root: Path, *, at_least: int = 2) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(names) < at_least:
        raise ValueError(f"{str(root)!r} has {len(names)} class folders: give each class its own.")
    return names


def _labelled(root: Path, classes: tuple[str, ...], there: tuple[str, ...]) -> tuple[Labelled, ...]:
    """The images of the classes that are there, each with its number among all classes."""
    found: list[Labelled] = []
    for name in there:
        # Not into deeper folders: a path such as / would be searched for minutes.
        images = [path for path in sorted((root / name).iterdir()) if path.suffix.lower() in SUFFIXES]
        if not images:
            known = ", ".join(sorted(SUFFIXES))
            raise ValueError(f"{str(root / name)!r} has no images ({known}): add some, or remove the folder.")
        found.extend((path, classes.index(name)) for path in images)
    return tuple(found)
