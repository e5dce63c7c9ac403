"""The dataset that needs no network: scikit-learn's digits."""

import numpy as np
from prunescope.engine.data.dataset import LoadOptions, RawData
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

N_VALIDATION = 397
# Not the run's seed: accuracies of different seeds are compared on one validation set.
_SPLIT_SEED = 0


def load_digits(options: LoadOptions) -> RawData:
    """1,797 images of 8×8, values 0 to 16; 1,400 to train on and 397 to validate, stratified."""
    images, labels = sklearn_digits(return_X_y=True)
    images = images.astype(np.float32).reshape(-1, 1, 8, 8)
    train_x, val_x, train_y, val_y = train_test_split(
        images, labels, test_size=N_VALIDATION, stratify=labels, random_state=_SPLIT_SEED
    )
    return RawData(
        train_x=train_x,
        train_y=train_y,
        val_x=val_x,
        val_y=val_y,
        class_names=tuple(str(digit) for digit in range(10)),
    )
