import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    DISTANCES,
    activation_correlations,
    cosine_matrix,
    cutoff_inner_product,
    edge_weight_distribution,
    edge_weights,
    kernel_width,
    merge_units,
    similarity,
    similarity_graph,
)


def test_worked_by_hand_two_orthogonal_units():
    """D is 0 on the diagonal and ½ beside it, so σ = ¼ and A = exp(−4)."""
    found = similarity_graph([np.eye(2)])
    assert found.kernel_width == pytest.approx(0.25)
    np.testing.assert_allclose(found.adjacency[0], [[0, math.exp(-4)], [math.exp(-4), 0]], rtol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_agrees_with_the_definition_over_epochs(distance):
    trajectory = np.random.default_rng(0).standard_normal((3, 6, 4))
    units = trajectory / np.linalg.norm(trajectory, axis=2, keepdims=True)
    inner = units @ units.transpose(0, 2, 1)
    gaps = (1 - inner) / 2 if distance == "half" else np.sqrt(np.maximum(1 - inner, 0))
    width = gaps.mean()
    expected = np.exp(-(gaps**2) / width**2)
    expected[:, range(6), range(6)] = 0
    found = similarity_graph(trajectory, distance)
    assert found.kernel_width == pytest.approx(width, rel=1e-6)
    np.testing.assert_allclose(found.adjacency, expected, atol=1e-6)


@given(st.integers(0, 10_000))
def test_rotation_and_scaling_leave_the_graph_and_order_permutes_it(rotation, seed):
    rng = np.random.default_rng(seed)
    trajectory = rng.standard_normal((2, 7, 4))
    order = rng.permutation(7)
    moved = (trajectory * rng.uniform(0.01, 100, (2, 7, 1)) @ rotation(4, seed))[:, order]
    before, after = similarity_graph(trajectory), similarity_graph(moved)
    assert after.kernel_width == pytest.approx(before.kernel_width)
    np.testing.assert_allclose(after.adjacency, before.adjacency[:, order][:, :, order], atol=1e-6)


@given(st.floats(1e-6, 1), st.floats(0.01, 2), st.sampled_from(sorted(DISTANCES)))
def test_a_pair_at_the_cutoffs_inner_product_has_the_cutoffs_weight(cutoff, width, distance):
    inner = cutoff_inner_product(cutoff, width, distance)
    if inner >= -1:
        weights = edge_weights([[1, inner], [inner, 1]], width, distance)
        assert weights[0, 1] == pytest.approx(cutoff, rel=1e-6)


def test_identical_units_are_fully_joined_and_one_unit_is_alone():
    found = similarity_graph(np.ones((1, 3, 4)))
    assert found.kernel_width == 0
    np.testing.assert_array_equal(found.adjacency[0], 1 - np.eye(3))
    assert similarity_graph(np.ones((1, 1, 4))).adjacency.tolist() == [[[0]]]


def test_more_than_the_memory_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(similarity, "_MOST_BYTES", 100)
    with pytest.raises(ValueError, match=r"2 epochs of 5 units .* edge_weights"):
        similarity_graph(np.ones((2, 5, 3)))


def test_edge_weight_distribution_counts_each_pair_once():
    adjacency = np.array([[0, 0.2, 0.9], [0.2, 0, 0.5], [0.9, 0.5, 0]])
    found = edge_weight_distribution(adjacency, width=0.5, bins=2)
    assert found.counts.tolist() == [1, 2]
    np.testing.assert_allclose(found.reverse_cdf, [1, 2 / 3, 0])
    assert found.orthogonal == pytest.approx(math.exp(-1))
    with pytest.raises(ValueError, match="one unit has no edges"):
        edge_weight_distribution([[0.0]], 1)


def test_correlations_agree_with_numpy_over_examples_and_positions():
    activations = np.random.default_rng(0).standard_normal((20, 4, 3, 3))
    rows = activations.transpose(1, 0, 2, 3).reshape(4, -1)
    np.testing.assert_allclose(activation_correlations(activations).matrix, np.corrcoef(rows), atol=1e-12)


def test_a_dead_unit_correlates_with_nothing():
    activations = np.random.default_rng(0).standard_normal((20, 3))
    activations[:, 1] = 0.1
    found = activation_correlations(activations)
    assert found.constant.tolist() == [False, True, False]
    assert found.matrix[1].tolist() == [0, 1, 0]


def test_merging_keeps_track_of_network_and_unit():
    found = merge_units(np.ones((2, 3)), np.zeros((1, 3)))
    assert found.weights.shape == (3, 3)
    assert found.network.tolist() == [0, 0, 1]
    assert found.unit.tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="fan-in 4, first has 3"):
        merge_units(np.ones((2, 3)), np.ones((2, 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_width(np.ones((1, 2, 2)), "euclid"), "'euclid', expected one of half, chord"),
        (lambda: edge_weights(np.ones((2, 3)), 1), r"shape \(2, 3\)"),
        (lambda: edge_weights(cosine_matrix(np.eye(2)), -1), "expected σ ≥ 0"),
        (lambda: cutoff_inner_product(0, 1), r"cutoff: 0, expected"),
        (lambda: activation_correlations([1.0, 2.0]), r"shape \(2,\)"),
        (lambda: similarity_graph([[[0.0, 0], [1, 1]]]), r"rows \[0\] have norm 0"),
    ],
)
def test_impossible_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
