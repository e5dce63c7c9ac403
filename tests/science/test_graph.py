"""Acceptance check 17: the cutoff of the similarity graph is an inner product."""

import numpy as np
import pytest
from prunescope.engine.geometry import cosine_matrix, cutoff_inner_product, similarity_graph


@pytest.mark.parametrize("cutoff", [0.01, 0.2, 0.5, 0.9])
def test_an_edge_is_kept_exactly_where_the_cosine_is_large_enough(cutoff):
    rng = np.random.default_rng(0)
    trajectory = rng.standard_normal((3, 60, 9)) + 2 * rng.standard_normal((1, 60, 9))
    graph = similarity_graph(trajectory)
    inner = cutoff_inner_product(cutoff, graph.kernel_width)
    assert inner == pytest.approx(1 - 2 * graph.kernel_width * np.sqrt(np.log(1 / cutoff)))
    for weights, adjacency in zip(trajectory, graph.adjacency, strict=True):
        cosines = cosine_matrix(weights)
        clear = ~np.isclose(cosines, inner, atol=1e-6) & ~np.eye(60, dtype=bool)
        assert ((adjacency >= cutoff) == (cosines >= inner))[clear].all()
        assert (np.diagonal(adjacency) == 0).all()
