"""`module:callable`: the user's own arrays."""

import numpy as np
from prunescope.engine.custom import call_with, load_callable
from prunescope.engine.data.dataset import LoadOptions, RawData


def load_own(options: LoadOptions) -> RawData:
    """Call the user's function, with `data_dir`, `seed` and `image_size` if it takes them.

    It returns (train_x, train_y, val_x, val_y), as arrays or CPU tensors, scaled as training wants
    them: x (n, *input_shape) of numbers, y (n,) of class numbers from 0.

    Raises
    ------
    ValueError
        For anything else, saying what was found.
    """
    offered = {"data_dir": options.data_dir, "seed": options.seed, "image_size": options.image_size}
    returned = call_with(load_callable(options.name), offered)
    if not isinstance(returned, tuple | list) or len(returned) != 4:
        raise _unusable(options.name, f"returned {type(returned).__name__}", "return four arrays")
    train_x, train_y, val_x, val_y = (np.asarray(array) for array in returned)
    if train_x.shape[1:] != val_x.shape[1:] or train_x.ndim < 2:
        raise _unusable(
            options.name, f"returned inputs of shapes {train_x.shape} and {val_x.shape}", "give (n, …) alike"
        )
    for x, y in ((train_x, train_y), (val_x, val_y)):
        if x.dtype.kind not in "fiub" or not np.isfinite(x).all():
            raise _unusable(options.name, "returned inputs that are not all finite numbers", "clean them")
        if y.shape != (len(x),) or not len(x) or y.dtype.kind not in "iu" or y.min() < 0:
            raise _unusable(
                options.name,
                f"returned labels of shape {y.shape} and type {y.dtype} for {len(x)} inputs",
                "give a class number from 0 for each",
            )
    n_classes = int(max(train_y.max(), val_y.max())) + 1
    return RawData(
        train_x=train_x,
        train_y=train_y,
        val_x=val_x,
        val_y=val_y,
        class_names=tuple(str(number) for number in range(max(n_classes, 2))),
        standardise=False,
    )


def _unusable(name: str, found: str, advice: str) -> ValueError:
    return ValueError(f"dataset: {name} {found}: {advice}, as (train_x, train_y, val_x, val_y).")
