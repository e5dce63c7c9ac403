"""Load a dataset by name, then subset, resize, standardise, corrupt and relabel it, in this order."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from prunescope.engine.data.catalog import CORRUPTIONS, dataset_spec
from prunescope.engine.data.corrupt import corrupt_inputs, redraw_labels
from prunescope.engine.data.dataset import Dataset, LoadOptions, Progress, RawData
from prunescope.engine.data.places import as_folder
from prunescope.engine.fields import unknown_name
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig

# Subsets stay the same over seeds: runs that differ in the seed must see the same examples.
_SUBSET_SEED = 0


def load_for(config: "RunConfig", *, progress: Progress | None = None) -> Dataset:
    """The data that a run asks for; see `load_dataset`."""
    return load_dataset(
        config.dataset,
        data_dir=config.data_dir,
        seed=config.seed,
        label_noise=config.label_noise,
        corruption=config.corruption,
        image_size=config.image_size,
        color=config.color,
        pairs=config.pairs,
        train_examples=config.train_examples,
        download=config.download,
        progress=progress,
    )


def load_dataset(
    name: str,
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    label_noise: float = 0.0,
    corruption: str = "none",
    image_size: int = 0,
    color: str = "auto",
    pairs: int = 8,
    train_examples: int = 0,
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """A dataset as float32 tensors in memory.

    Each channel of images is shifted and scaled by the mean and standard deviation that it has over
    the whole training set; XORD's ±1 and the arrays of a `module:callable` are taken as they are.

    Parameters
    ----------
    seed : int
        Of the label noise, the corruption and the split of a folder without one. The split of
        digits is always the same (1,400 + 397, stratified).
    label_noise : float in [0, 1]
        See `redraw_labels`.
    train_examples : int
        Size of a random subset of the training examples that is the same for every seed; 0: all.

    Raises
    ------
    ValueError
        For an unknown name or an unusable folder.
    FileNotFoundError
        When a download is needed and impossible, naming the files and where to put them.
    """
    spec = dataset_spec(name)
    if corruption not in CORRUPTIONS:
        raise ValueError(f"corruption: {unknown_name(corruption, CORRUPTIONS)}")
    options = LoadOptions(
        name=name,
        data_dir=as_folder(data_dir) if data_dir else None,
        seed=seed,
        image_size=image_size,
        color=color,
        pairs=pairs,
        train_examples=train_examples,
        download=download,
        progress=progress,
    )
    module, function = spec.loader.split(":")
    raw: RawData = getattr(import_module(f"prunescope.engine.data.{module}"), function)(options)
    chosen = _subset(len(raw.train_y), train_examples)
    train_x, val_x = _as_floats(raw, chosen)
    if (image_size or corruption != "none") and train_x.ndim != 4:
        raise ValueError(
            f"image_size and corruption need images, and {name} has inputs of shape "
            f"{tuple(train_x.shape[1:])}: leave both at their defaults."
        )
    if image_size:
        train_x, val_x = _resize(train_x, image_size), _resize(val_x, image_size)
    if corruption != "none":
        train_x, val_x = corrupt_inputs(corruption, train_x, val_x, seed=seed)
    labels = redraw_labels(raw.train_y[chosen], label_noise, len(raw.class_names), seed=seed)
    return Dataset(
        name=name,
        train_x=train_x,
        train_y=torch.from_numpy(labels.astype(np.int64)),
        val_x=val_x,
        val_y=torch.from_numpy(raw.val_y.astype(np.int64)),
        class_names=raw.class_names,
    )


def _subset(n_examples: int, wanted: int) -> np.ndarray:
    if not 0 < wanted < n_examples:
        return np.arange(n_examples)
    return np.sort(np.random.default_rng(_SUBSET_SEED).choice(n_examples, wanted, replace=False))


def _as_floats(raw: RawData, chosen: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Tensors (n, *input_shape), standardised by the statistics of the whole training set."""
    train_x, val_x = raw.train_x[chosen].astype(np.float32), raw.val_x.astype(np.float32)
    if raw.standardise:
        axes = (0, *range(2, raw.train_x.ndim))
        mean = raw.train_x.mean(axis=axes, keepdims=True, dtype=np.float64)
        deviation = raw.train_x.std(axis=axes, keepdims=True, dtype=np.float64)
        # An image set of one colour has no spread to divide by.
        deviation[deviation == 0] = 1
        for x in (train_x, val_x):
            x -= mean[0].astype(np.float32)
            x /= deviation[0].astype(np.float32)
    return torch.from_numpy(train_x), torch.from_numpy(val_x)


def _resize(images: torch.Tensor, side: int) -> torch.Tensor:
    if images.shape[-2:] == (side, side):
        return images
    return interpolate(images, size=(side, side), mode="bilinear", antialias=True).contiguous()
