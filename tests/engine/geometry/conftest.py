import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "geometry", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("geometry")


@pytest.fixture
def rotation():
    """A random rotation of R^d, by dimension and seed."""

    def draw(dimension: int, seed: int = 0) -> np.ndarray:
        q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, dimension)))
        return q * np.sign(np.diag(r))

    return draw


@pytest.fixture
def planted():
    """Units scattered around a few far apart directions: (weights, true labels)."""

    def draw(n_clusters: int = 4, per_cluster: int = 12, fan_in: int = 9, noise: float = 0.1, seed: int = 0):
        rng = np.random.default_rng(seed)
        directions = np.linalg.qr(rng.standard_normal((fan_in, n_clusters)))[0].T
        labels = np.repeat(np.arange(n_clusters), per_cluster)
        weights = directions[labels] + noise * rng.standard_normal((labels.size, fan_in))
        return weights * rng.uniform(0.1, 10, (labels.size, 1)), labels

    return draw
