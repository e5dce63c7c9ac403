"""What loading gives: arrays as the files hold them, then tensors as training takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

# Called with a file's name, the bytes fetched and the bytes there are (0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The settings that a loader may need."""

    name: str
    data_dir: Path | None
    seed: int
    image_size: int
    color: str
    pairs: int
    train_examples: int
    download: bool
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class RawData:
    """Arrays before standardisation, noise and corruption.

    Attributes
    ----------
    train_x, val_x : (n, *input_shape)  uint8 or float32
    train_y, val_y : (n,)  class numbers
    standardise : False for data whose scale carries meaning
    """

    train_x: np.ndarray
    train_y: np.ndarray
    val_x: np.ndarray
    val_y: np.ndarray
    class_names: tuple[str, ...]
    standardise: bool = True


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and validation data, whole in memory.

    Attributes
    ----------
    train_x, val_x : (n, *input_shape)  float32
    train_y, val_y : (n,)  int64 in [0, n_classes)
    input_shape : of one example, e.g. (1, 8, 8)
    """

    name: str
    train_x: torch.Tensor
    train_y: torch.Tensor
    val_x: torch.Tensor
    val_y: torch.Tensor
    class_names: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train_x.shape[1:])
