"""Digits are read without importing scikit-learn; scikit-learn is the reference."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.data import load_dataset
from prunescope.engine.data.builtin import load_digits, stratified_split
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split


def test_digits_are_scikit_learns_bit_for_bit():
    images, labels = sklearn_digits(return_X_y=True)
    images = images.astype(np.float32).reshape(-1, 1, 8, 8)
    expected = train_test_split(images, labels, test_size=397, stratify=labels, random_state=0)

    raw = load_digits(None)

    found = (raw.train_x, raw.val_x, raw.train_y, raw.val_y)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@given(
    sizes=st.lists(st.integers(2, 30), min_size=2, max_size=8),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**31 - 1),
)
def test_the_split_draws_what_train_test_split_draws(sizes, share, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    n_held_out = int(np.clip(round(share * len(labels)), len(sizes), len(labels) - len(sizes)))
    rows = np.arange(len(labels))

    kept, out = stratified_split(labels, n_held_out, seed)

    theirs = train_test_split(rows, test_size=n_held_out, stratify=labels, random_state=seed)
    np.testing.assert_array_equal(kept, theirs[0])
    np.testing.assert_array_equal(out, theirs[1])


def test_loading_digits_does_not_wait_for_scikit_learn():
    code = "import sys; from prunescope.engine.data import load_dataset; load_dataset('digits'); print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert load_dataset("digits").train_x.shape == (1400, 1, 8, 8)
