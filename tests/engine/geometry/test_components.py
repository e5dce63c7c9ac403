import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import component_curve, components, components_at, components_of_tree, spanning_edges


def random_adjacency(n_units, seed):
    upper = np.triu(np.random.default_rng(seed).integers(0, 8, (n_units, n_units)) / 8, 1)
    return upper + upper.T


@given(st.integers(1, 15), st.integers(0, 10_000))
def test_the_curve_counts_what_a_graph_library_counts_at_every_cutoff(n_units, seed):
    adjacency = random_adjacency(n_units, seed)
    curve = component_curve(adjacency)
    for cutoff in np.arange(1, 10) / 8:  # weights and cutoffs fall together: ties count as joined
        graph = nx.from_numpy_array(adjacency >= cutoff)
        graph.remove_edges_from(nx.selfloop_edges(graph))
        expected = nx.number_connected_components(graph)
        assert components_at(curve, cutoff) == expected
        whole, tree = (
            components(adjacency, cutoff, np.arange(n_units)),
            components_of_tree(spanning_edges(adjacency), cutoff, np.arange(n_units)),
        )
        assert whole.sizes.size == expected
        assert whole.labels.tolist() == tree.labels.tolist() and whole.max_norms.tolist() == tree.max_norms.tolist()


def test_sizes_and_largest_norms_worked_by_hand():
    adjacency = np.zeros((5, 5))
    adjacency[1, 3] = adjacency[3, 1] = adjacency[3, 4] = adjacency[4, 3] = 0.9
    found = components(adjacency, 0.5, [7, 1, 2, 5, 3])
    assert found.sizes.tolist() == [3, 1, 1]
    assert found.labels.tolist() == [1, 0, 2, 0, 0]
    assert found.max_norms.tolist() == [5, 7, 2]
    assert found.correlation == pytest.approx(np.corrcoef([3, 1, 1], [5, 7, 2])[0, 1])


def test_a_single_unit_is_one_component():
    assert components_at(component_curve([[0.0]]), [0.1, 1]).tolist() == [1, 1]
    found = components([[0.0]], 0.5, [2])
    assert found.sizes.tolist() == [1]
    assert np.isnan(found.correlation)


def test_impossible_input_is_named():
    with pytest.raises(ValueError, match="one for each of 2"):
        components(np.zeros((2, 2)), 0.5, [1])
    with pytest.raises(ValueError, match="cutoff: 0"):
        components(np.zeros((2, 2)), 0, [1, 1])
