"""Small runs on digits, one thread each: the machine that tests has few cores."""

import numpy as np
import pytest
from prunescope.engine.config import RunConfig
from prunescope.engine.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def small():
    """A config that trains in a fraction of a second; keywords change it."""

    def make(**changes):
        settings = {"model": "mlp", "hidden": (16,), "epochs": 3, "threads": 1, "train_examples": 320}
        return RunConfig(**settings | changes)

    return make


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
