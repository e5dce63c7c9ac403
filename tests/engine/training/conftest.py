"""Small runs on digits, one thread each: the machine that tests has few cores."""

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
