"""One small trained run for all questions."""

import pytest
import torch
from prunescope.engine import RunConfig, Store, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Store:
    """Two epochs of a small network on digits, as run ``small``."""
    torch.set_num_threads(1)
    store = Store(tmp_path_factory.mktemp("runs"))
    train(RunConfig(name="small", dataset="digits", model="mlp", hidden=(24, 12), epochs=2, seed=0), store)
    return store
