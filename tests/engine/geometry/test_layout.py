import numpy as np
import pytest
from prunescope.engine.geometry import cosine_matrix, edge_weights, force_layout


@pytest.fixture
def graph(planted):
    def draw(noise=0.2, seed=0):
        weights, labels = planted(noise=noise, seed=seed)
        return edge_weights(cosine_matrix(weights), 0.4), labels

    return draw


def test_clusters_lie_together_and_apart_from_others(graph):
    adjacency, labels = graph()
    positions = force_layout(adjacency, cutoff=0.5)
    middles = np.stack([positions[labels == j].mean(axis=0) for j in range(4)])
    radius = max(np.linalg.norm(positions[labels == j] - middles[j], axis=1).max() for j in range(4))
    gaps = np.linalg.norm(middles[:, None] - middles, axis=2)[np.triu_indices(4, 1)]
    assert gaps.min() > 2 * radius


def test_the_same_arguments_give_the_same_picture(graph):
    adjacency, _ = graph()
    assert (force_layout(adjacency, 0.5, seed=3) == force_layout(adjacency, 0.5, seed=3)).all()


def test_from_earlier_positions_a_small_change_moves_units_little(graph):
    before, _ = graph()
    positions = force_layout(before, 0.5)
    after = np.clip(before * (1 + 0.02 * np.random.default_rng(0).standard_normal(before.shape)), 0, 1)
    moved = force_layout((after + after.T) / 2, 0.5, previous=positions)
    extent = np.ptp(positions, axis=0).max()
    assert np.linalg.norm(moved - positions, axis=1).mean() < 0.05 * extent
    fresh = force_layout((after + after.T) / 2, 0.5, seed=1)
    assert np.linalg.norm(fresh - positions, axis=1).mean() > 0.2 * extent


def test_units_without_edges_stay_on_the_page():
    positions = force_layout(np.zeros((30, 30)))
    assert np.isfinite(positions).all()
    assert np.linalg.norm(positions, axis=1).max() < 20
    assert np.linalg.norm(positions[0] - positions[1]) > 0.1


def test_units_put_on_one_point_part_again():
    positions = force_layout(np.zeros((5, 5)), previous=np.zeros((5, 2)), iterations=50)
    assert np.linalg.norm(positions[:, None] - positions, axis=2)[np.triu_indices(5, 1)].min() > 0.1


def test_one_unit_sits_in_the_middle():
    np.testing.assert_allclose(force_layout([[0.0]]), [[0, 0]], atol=1e-6)


def test_impossible_input_is_named():
    with pytest.raises(ValueError, match="square"):
        force_layout(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"expected \(2, 2\)"):
        force_layout(np.ones((2, 2)), previous=np.ones((3, 2)))
