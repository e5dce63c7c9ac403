import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small networks are faster on one thread, and sums come out the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def digits():
    """1,400 training digits: (inputs, labels), inputs in [0, 1] or with mean 0 and spread 1 a pixel."""

    def draw(seed: int, *, standardised: bool = False, images: bool = False):
        import torch

        data = load_digits()
        pixels = data.data / 16
        if standardised:
            pixels = (pixels - pixels.mean(axis=0)) / (pixels.std(axis=0) + 1e-6)
        chosen = np.random.default_rng(seed).permutation(len(pixels))[:1400]
        inputs = torch.tensor(pixels[chosen], dtype=torch.float32)
        return inputs.reshape(-1, 1, 8, 8) if images else inputs, torch.tensor(data.target[chosen])

    return draw
