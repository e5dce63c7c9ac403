import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine import geometry as g

# Every measure that can be taken from the inner products alone.
MEASURES = {
    "cosine_matrix": g.cosine_matrix,
    "frame_potential": g.frame_potential,
    "unnormalised_frame_potential": g.unnormalised_frame_potential,
    "mean_abs_inner_product": g.mean_abs_inner_product,
    "frame_summary": lambda w: np.array(g.frame_summary(w)),
    "leave_one_out": lambda w: np.array(g.leave_one_out(w)),
    "ordered_cosines": lambda w: g.ordered_cosines(w, np.arange(9) % 3).matrix,
    "direction_clusters": g.direction_clusters,
    "singular_values": g.singular_values,
    "spectral_density": lambda w: g.spectral_density(w).eigenvalues,
    "selected_split": lambda w: g.selected_split(w, 2.0).selected_values,
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("fan_in", [4, 30])
def test_a_measure_is_the_same_from_weights_and_from_their_inner_products(measure, fan_in):
    weights = np.random.default_rng(0).standard_normal((9, fan_in))
    expected = measure(weights)
    np.testing.assert_allclose(measure(g.inner_products(weights)), expected, rtol=1e-9, atol=1e-7)


def test_clusters_from_cosines_alone_are_those_of_the_weight_vectors():
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((4, 50))
    weights = centers[rng.integers(4, size=80)] + 0.4 * rng.standard_normal((80, 50))
    labels = g.cluster_labels(g.inner_products(weights), 4, seed=1)
    assert labels.tolist() == g.spherical_kmeans(weights, 4, seed=1).labels.tolist()


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e150])
def test_a_layer_of_any_size_keeps_its_cosines_and_its_singular_values(scale):
    weights = np.random.default_rng(0).standard_normal((6, 8))
    pairs = g.inner_products(weights * scale)
    np.testing.assert_allclose(pairs.cosines, g.cosine_matrix(weights), atol=1e-12)
    expected = np.linalg.svd(weights)[1]
    np.testing.assert_allclose(g.singular_values(pairs) / scale, expected, rtol=1e-7)


def test_recorded_single_precision_weights_err_no_more_than_their_rounding():
    """The oracle is double precision throughout; what is recorded has 24 bits, and no more is lost after that."""
    exact = np.random.default_rng(0).standard_normal((64, 4608))
    pairs = g.inner_products(exact.astype(np.float32))
    units = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.abs(pairs.cosines - units @ units.T).max() < 1e-8
    np.testing.assert_allclose(g.singular_values(pairs), np.linalg.svd(exact)[1], rtol=1e-7)


@given(st.integers(0, 10_000))
def test_rotation_changes_nothing_scaling_norms_alone_and_order_permutes(rotation, seed):
    rng = np.random.default_rng(seed)
    weights, factors, order = rng.standard_normal((7, 4)), rng.uniform(0.01, 100, 7), rng.permutation(7)
    before = g.inner_products(weights)
    after = g.inner_products((weights * factors[:, None] @ rotation(4, seed))[order])
    np.testing.assert_allclose(after.cosines, before.cosines[np.ix_(order, order)], atol=1e-9)
    np.testing.assert_allclose(after.norms, (before.norms * factors)[order])


def test_a_unit_of_norm_zero_is_like_nobody_and_measures_of_directions_refuse_it():
    pairs = g.inner_products([[1.0, 0], [0, 0], [1, 1]])
    assert pairs.cosines[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(g.singular_values(pairs), np.linalg.svd([[1.0, 0], [1, 1]])[1])
    with pytest.raises(ValueError, match=r"rows \[1\] have norm 0"):
        g.frame_potential(pairs)
    assert g.frame_potential(g.among(pairs, [True, False, True])) == pytest.approx(3)


def test_a_diverged_layer_is_refused():
    with pytest.raises(ValueError, match=r"rows \[0\] hold nan"):
        g.inner_products([[np.nan, 1.0]])
