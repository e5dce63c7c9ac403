"""What the tests of training share, with and without processes."""

import time
from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Poll until a condition holds; the limit only keeps a broken test from hanging."""

    def wait(condition, seconds=60):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def assert_same_run():
    """Every array and metric of every epoch of two runs is equal to the bit."""

    def check(one, other):
        assert one.epochs.tolist() == other.epochs.tolist()
        for epoch in one.epochs:
            arrays, others = one.arrays(epoch), other.arrays(epoch)
            assert arrays.keys() == others.keys()
            for name in arrays:
                np.testing.assert_array_equal(arrays[name], others[name], err_msg=f"{name} at epoch {epoch}")
        metrics, others = one.metrics(), other.metrics()
        assert metrics.keys() == others.keys()
        for name in metrics:
            np.testing.assert_array_equal(metrics[name], others[name], err_msg=name)

    return check
