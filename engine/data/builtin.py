"""The dataset that needs no network: scikit-learn's digits."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from prunescope.engine.data.dataset import LoadOptions, RawData

N_VALIDATION = 397
# Not the run's seed: accuracies of different seeds are compared on one validation set.
_SPLIT_SEED = 0


def load_digits(options: LoadOptions) -> RawData:
    """1,797 images of 8×8, values 0 to 16; 1,400 to train on and 397 to validate, stratified."""
    images, labels = _read()
    train, val = stratified_split(labels, N_VALIDATION, _SPLIT_SEED)
    return RawData(
        train_x=images[train],
        train_y=labels[train],
        val_x=images[val],
        val_y=labels[val],
        class_names=tuple(str(digit) for digit in range(10)),
    )


def _read() -> tuple[np.ndarray, np.ndarray]:
    """What `sklearn.datasets.load_digits` reads, from its own file: importing scikit-learn takes as long as
    importing torch, and the first figure of a run would wait for both.
    """
    package = Path(find_spec("sklearn").origin).parent
    table = np.loadtxt(package / "datasets" / "data" / "digits.csv.gz", delimiter=",")  # (n, 64 + 1)
    return table[:, :-1].astype(np.float32).reshape(-1, 1, 8, 8), table[:, -1].astype(int)


def stratified_split(labels: np.ndarray, n_held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the two parts of `sklearn.model_selection.train_test_split(stratify=labels)`, draw for draw."""
    random = np.random.RandomState(seed)
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    sizes = np.array([len(rows) for rows in of_class])
    n_kept = _shares(sizes, len(labels) - n_held_out, random)
    n_out = _shares(sizes - n_kept, n_held_out, random)
    kept, out = [], []
    for rows, to_keep, to_hold_out in zip(of_class, n_kept, n_out, strict=True):
        shuffled = rows[random.permutation(len(rows))]
        kept.append(shuffled[:to_keep])
        out.append(shuffled[to_keep : to_keep + to_hold_out])
    return random.permutation(np.concatenate(kept)), random.permutation(np.concatenate(out))


def _shares(sizes: np.ndarray, n_draws: int, random: np.random.RandomState) -> np.ndarray:
    """`n_draws` over classes in proportion to their sizes; what rounding leaves, to the largest remainders,
    ties at random.
    """
    exact = sizes / sizes.sum() * n_draws
    shares = np.floor(exact)
    remainders = exact - shares
    left = int(n_draws - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if not left:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = random.choice(tied, size=min(len(tied), left), replace=False)
        shares[chosen] += 1
        left -= len(chosen)
    return shares.astype(int)
