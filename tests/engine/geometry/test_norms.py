import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    compare_to_init,
    norm_histograms,
    norm_spread,
    ordered_cosines,
    unit_norms,
)


def test_norms_worked_by_hand():
    assert unit_norms([[3.0, 4], [0, 0]]).tolist() == [5, 0]
    assert norm_spread([[1.0], [3.0]]) == pytest.approx(0.5)
    assert np.isnan(norm_spread([[0.0], [0.0]]))


def test_extreme_norms_neither_overflow_nor_vanish():
    np.testing.assert_allclose(unit_norms([[3e200, 4e200], [3e-200, 4e-200]]), [5e200, 5e-200])


def test_histograms_share_their_bins_and_count_every_unit():
    trajectory = np.random.default_rng(0).standard_normal((4, 30, 6)) * np.arange(1, 5)[:, None, None]
    found = norm_histograms(trajectory, bins=12)
    assert found.counts.shape == (4, 12)
    assert found.counts.sum(axis=1).tolist() == [30] * 4
    for row, weights in zip(found.counts, trajectory, strict=True):
        assert (row == np.histogram(np.linalg.norm(weights, axis=1), bins=found.edges)[0]).all()


def test_comparison_to_init_worked_by_hand():
    found = compare_to_init([[1.0, 0], [0, 2], [1, 1]], [[2.0, 0], [3, 0], [-1, -1]])
    np.testing.assert_allclose(found.norms, [2, 3, np.sqrt(2)])
    np.testing.assert_allclose(found.initial_norms, [1, 2, np.sqrt(2)])
    np.testing.assert_allclose(found.cosines, [1, 0, -1], atol=1e-12)
    np.testing.assert_allclose(found.angles, [0, 90, 180], atol=1e-12)
    np.testing.assert_allclose(found.distances, [1, np.sqrt(13), 2 * np.sqrt(2)])
    assert found.correlation == pytest.approx(np.corrcoef(found.norms, found.cosines)[0, 1])


def test_no_correlation_without_variation():
    weights = np.eye(4)
    found = compare_to_init(weights, weights)
    assert np.isnan(found.correlation)
    assert np.isnan(compare_to_init([[1.0]], [[2.0]]).correlation)


@given(st.integers(0, 10_000))
def test_a_common_rotation_changes_no_comparison(rotation, seed):
    rng = np.random.default_rng(seed)
    before, after = rng.standard_normal((2, 10, 5))
    q = rotation(5, seed)
    plain, turned = compare_to_init(before, after), compare_to_init(before @ q, after @ q)
    for a, b in zip(plain, turned, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_layers_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="expected the same layer"):
        compare_to_init(np.ones((2, 2)), np.ones((3, 2)))


def test_units_of_a_cluster_stand_side_by_side():
    weights = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.1, 1], [-1, -1]])
    found = ordered_cosines(weights, [1, 0, 1, 0, -1])
    assert set(found.order[:2]) == {1, 3}
    assert found.order[4] == 4  # ignored units last
    assert found.boundaries.tolist() == [2, 4]
    units = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(found.matrix, (units @ units.T)[np.ix_(found.order, found.order)], atol=1e-12)


def test_labels_must_fit_the_units():
    with pytest.raises(ValueError, match="one label for each of 3"):
        ordered_cosines(np.eye(3), [0, 1])
