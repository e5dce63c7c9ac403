"""What every function makes of one unit, zero vectors, one input, equal vectors and nan: an answer or a clear error."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prunescope.engine import geometry as g

LAYERS = {
    "one unit": np.array([[1.0, 2.0, -1.0]]),
    "a unit of norm 0": np.array([[1.0, 2.0, -1.0], [0, 0, 0], [2, 0, 1]]),
    "all of norm 0": np.zeros((4, 3)),
    "one input": np.array([[1.0], [-2.0], [0.5]]),
    "equal vectors": np.ones((4, 3)),
    "nan": np.array([[1.0, np.nan, 1.0], [1, 1, 1], [1, 0, 0]]),
}


def course(w: np.ndarray) -> np.ndarray:
    return np.stack([w, 2 * w])


def graph(w: np.ndarray) -> np.ndarray:
    """The usual way to an adjacency, which is the input of all that follows it."""
    return g.edge_weights(g.cosine_matrix(w), g.kernel_width(w[None]))


# Each function of a layer, as a page calls it.
OF_WEIGHTS: dict[str, Callable[[np.ndarray], Any]] = {
    "activation_correlations": lambda w: g.activation_correlations(w.T),
    "alignment_race": lambda w: g.alignment_race(w, 2 * w, w),
    "among": lambda w: g.among(g.inner_products(w), np.ones(len(w), bool)),
    "angle_distribution": lambda w: g.angle_distribution(w, 1),
    "angles_to_centers": lambda w: g.angles_to_centers(w, w),
    "cluster_labels": lambda w: g.cluster_labels(g.inner_products(w), 1),
    "compare_to_init": lambda w: g.compare_to_init(w, w),
    "component_curve": lambda w: g.component_curve(graph(w)),
    "components": lambda w: g.components(graph(w), 0.5, g.unit_norms(w)),
    "components_at": lambda w: g.components_at(g.component_curve(graph(w)), 0.5),
    "components_of_tree": lambda w: g.components_of_tree(g.spanning_edges(graph(w)), 0.5, g.unit_norms(w)),
    "cosine_matrix": g.cosine_matrix,
    "direction_clusters": g.direction_clusters,
    "drawn_edges": lambda w: g.drawn_edges(graph(w), 10),
    "edge_weight_distribution": lambda w: g.edge_weight_distribution(graph(w), 0.5),
    "edge_weights": graph,
    "effective_rank": lambda w: g.effective_rank(g.singular_values(w)),
    "force_layout": lambda w: g.force_layout(graph(w)),
    "frame_potential": g.frame_potential,
    "frame_summary": g.frame_summary,
    "inner_products": g.inner_products,
    "joint_svd": lambda w: g.joint_svd(w, w),
    "kernel_width": lambda w: g.kernel_width(course(w)),
    "largest_component": lambda w: g.largest_component(g.spanning_edges(graph(w)), [0.5]),
    "leave_one_out": g.leave_one_out,
    "low_rank": lambda w: g.low_rank(w, 1),
    "mean_abs_inner_product": g.mean_abs_inner_product,
    "merge_units": lambda w: g.merge_units(w, w),
    "neural_collapse": lambda w: g.neural_collapse(w, np.arange(len(w)) % 2, w[:2], np.zeros(2)),
    "norm_histograms": lambda w: g.norm_histograms(course(w)),
    "norm_spread": g.norm_spread,
    "ordered_cosines": lambda w: g.ordered_cosines(w, np.zeros(len(w), int)),
    "principal_angles": lambda w: g.principal_angles(w, w, 1),
    "principal_basis": lambda w: g.principal_basis(course(w)),
    "project_onto": lambda w: g.project_onto(g.project_trajectory(course(w), 1), w),
    "project_trajectory": lambda w: g.project_trajectory(course(w), 1),
    "reconstruction_error": lambda w: g.reconstruction_error(g.singular_values(w)),
    "selected_split": lambda w: g.selected_split(w, 1.0),
    "similarity_graph": lambda w: g.similarity_graph(course(w)),
    "singular_values": g.singular_values,
    "spanning_edges": lambda w: g.spanning_edges(graph(w)),
    "spectral_density": g.spectral_density,
    "spherical_kmeans": lambda w: g.spherical_kmeans(w, 1),
    "split_values": lambda w: g.split_values(w, g.unit_norms(w) > 1.0),
    "stable_rank": lambda w: g.stable_rank(g.singular_values(w)),
    "subspace_residuals": lambda w: g.subspace_residuals(course(w), g.trained_subspace(w, 1)),
    "top_norm_statistics": lambda w: g.top_norm_statistics(w, g.trained_subspace(w, 1), 2),
    "trained_subspace": lambda w: g.trained_subspace(w, 1),
    "unit_norms": g.unit_norms,
    "unnormalised_frame_potential": g.unnormalised_frame_potential,
    "weighted_null": lambda w: g.weighted_null(g.angle_null(len(w), w.shape[1], 1, draws=2), g.unit_norms(w)),
}
# These take sizes, labels or angles, and no layer; their tests stand in their own files.
OTHERS = {
    "angle_null", "cutoff_inner_product", "expected_frame_potential", "marchenko_pastur", "match_clusters",
    "random_angle_density", "z_score",
}  # fmt: skip


def numbers(found: Any) -> list[np.ndarray]:
    if isinstance(found, tuple):
        return [array for one in found for array in numbers(one)]
    array = np.asarray(found)
    return [array] if np.issubdtype(array.dtype, np.number) else []


def test_no_function_is_left_out() -> None:
    public = {name for name in g.__all__ if name.islower()}
    assert public == set(OF_WEIGHTS) | OTHERS


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_an_answer_or_a_sentence(name: str, kind: str) -> None:
    """Warnings are errors here, so that an answer comes of no 0/0; infinity is none."""
    try:
        found = OF_WEIGHTS[name](LAYERS[kind])
    except ValueError as problem:
        # What, which value, what to do.
        assert re.match(r"[a-z_, ]+( \(.+\))?: ", str(problem)), problem
        assert len(str(problem)) > 40
        return
    assert kind != "nan", f"{name} gave {found} for a diverged layer"
    assert not any(np.isinf(array).any() for array in numbers(found))
