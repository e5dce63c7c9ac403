"""Which edges are drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunescope.engine.geometry import component_curve, components, drawn_edges, largest_component, spanning_edges


def random_graph(n: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).random((n, n))
    matrix = np.triu(matrix, 1)
    return matrix + matrix.T


def test_a_triangle_is_spanned_by_its_two_strongest_sides():
    matrix = np.array([[0, 0.9, 0.5], [0.9, 0, 0.7], [0.5, 0.7, 0]])
    tree = spanning_edges(matrix)
    assert tree.pairs.tolist() == [[0, 1], [1, 2]]
    assert tree.weights.tolist() == [0.9, 0.7]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(0, 1000))
def test_the_tree_joins_at_the_cutoffs_at_which_components_join(n, seed):
    matrix = random_graph(n, seed)
    assert spanning_edges(matrix).weights == pytest.approx(component_curve(matrix).joins)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 25), st.integers(0, 1000), st.floats(0.05, 0.95))
def test_drawn_edges_leave_the_same_groups_as_all_edges(n, seed, cutoff):
    matrix = random_graph(n, seed)
    shown = drawn_edges(matrix, n + 3)
    sparse = np.zeros_like(matrix)
    sparse[shown.pairs[:, 0], shown.pairs[:, 1]] = shown.weights
    sparse += sparse.T
    norms = np.ones(n)
    assert np.array_equal(
        np.sort(components(matrix, cutoff, norms).sizes), np.sort(components(sparse, cutoff, norms).sizes)
    )
    assert len(shown.weights) == min(n + 3, n * (n - 1) // 2)
    assert len(np.unique(shown.pairs, axis=0)) == len(shown.pairs)
    assert (np.diff(shown.weights) <= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 25), st.integers(0, 1000))
def test_the_largest_component_is_that_of_the_components(n, seed):
    matrix = random_graph(n, seed)
    cutoffs = [0.1, 0.5, 0.7, 0.9, 0.99]
    found = largest_component(spanning_edges(matrix), cutoffs)
    assert found.tolist() == [components(matrix, c, np.ones(n)).sizes.max() for c in cutoffs]


def test_fewer_lines_than_a_tree_needs_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        drawn_edges(random_graph(5, 0), 3)
