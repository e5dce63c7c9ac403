import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    joint_svd,
    principal_angles,
    subspace_residuals,
    top_norm_statistics,
    trained_subspace,
)
from scipy.stats import pearsonr


@pytest.mark.parametrize("shape", [(6, 40), (20, 8)])
def test_the_subspace_is_that_of_the_largest_singular_values(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    found = trained_subspace(weights, 3)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-10)
    expected = np.linalg.svd(weights)[2][:3]
    np.testing.assert_allclose(found.T @ found, expected.T @ expected, atol=1e-8)


def test_residuals_worked_by_hand():
    found = subspace_residuals([[[1.0, 0, 0], [0, 0, 2], [3, 0, 4], [0, 0, 0]]], [[1.0, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(found, [[0, 1, 0.8, np.nan]], atol=1e-7)


def test_residuals_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    trajectory = rng.standard_normal((3, 8, 12))
    subspace = trained_subspace(trajectory[-1], 4)
    found = subspace_residuals(trajectory, subspace)
    for epoch in range(3):
        for unit in range(8):
            w = trajectory[epoch, unit]
            fit = np.linalg.lstsq(subspace.T, w, rcond=None)[0]
            expected = np.linalg.norm(w - subspace.T @ fit) / np.linalg.norm(w)
            assert found[epoch, unit] == pytest.approx(expected)


def test_random_units_leave_the_residual_of_theory():
    rng = np.random.default_rng(0)
    subspace = trained_subspace(rng.standard_normal((30, 100)), 20)
    found = subspace_residuals(rng.standard_normal((1, 2000, 100)), subspace)
    assert np.square(found).mean() == pytest.approx(1 - 20 / 100, abs=0.01)


def test_random_subspaces_are_nearly_orthogonal():
    """Science, section 3: two random 10-d subspaces of R^784 lie 78° to 89° apart."""
    rng = np.random.default_rng(0)
    angles = principal_angles(rng.standard_normal((10, 784)), rng.standard_normal((10, 784)), 10)
    assert (np.diff(angles) >= 0).all()
    assert angles[0] > 75
    assert angles[-1] <= 90


def test_principal_angles_worked_by_hand():
    turned = [[1.0, 0, 0], [0, np.cos(0.3), np.sin(0.3)]]
    np.testing.assert_allclose(principal_angles(np.eye(3)[:2], turned, 2), [0, np.degrees(0.3)], atol=1e-6)


@given(st.integers(0, 10_000))
def test_a_common_rotation_changes_no_principal_angle(rotation, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 6, 5))
    q = rotation(5, seed)
    np.testing.assert_allclose(principal_angles(a @ q, b @ q, 2), principal_angles(a, b, 2), atol=1e-5)


def test_top_norm_statistics_agree_with_loops():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((12, 6)) * rng.uniform(0.5, 3, (12, 1))
    subspace = trained_subspace(weights, 3)
    found = top_norm_statistics(weights, subspace, 8)
    norms = np.linalg.norm(weights, axis=1)
    assert found.units.tolist() == np.argsort(-norms)[:8].tolist()

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    for i, unit in enumerate(found.units):
        others = [u for u in found.units if u != unit]
        assert found.similarity[i] == pytest.approx(np.mean([cosine(weights[unit], weights[u]) for u in others]))
        inside = weights @ subspace.T
        assert found.subspace_similarity[i] == pytest.approx(np.mean([cosine(inside[unit], inside[u]) for u in others]))
    for name in ("similarity", "residual", "subspace_similarity"):
        expected = pearsonr(found.norms, getattr(found, name))
        assert found.correlations[name] == pytest.approx((expected.statistic, expected.pvalue))


def test_joint_svd_rebuilds_both_and_says_whose_direction_it_is():
    first = np.array([[2.0, 0, 0], [1, 0, 0]])
    second = np.array([[0.0, 1, 0]])
    found = joint_svd(first, second)
    np.testing.assert_allclose(found.values[:2], [np.sqrt(5), 1])
    np.testing.assert_allclose(found.first_share[:2], [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.first @ found.directions, first, atol=1e-12)
    np.testing.assert_allclose(found.second @ found.directions, second, atol=1e-12)
    assert found.values.size == 2  # the third direction is in neither network
    np.testing.assert_allclose(joint_svd(first, first).first_share[0], 0.5)


def test_impossible_input_is_named():
    with pytest.raises(ValueError, match=r"rank: 4, expected 1 to min\(N, d\) = 3"):
        trained_subspace(np.eye(3), 4)
    with pytest.raises(ValueError, match="n_top: 1, expected 2 to 3"):
        top_norm_statistics(np.eye(3), np.eye(3)[:1], 1)
    with pytest.raises(ValueError, match="fan-in 2, first has 3"):
        joint_svd(np.eye(3), np.eye(2))
    with pytest.raises(ValueError, match="fan-in 2, the trajectory has 3"):
        subspace_residuals(np.ones((1, 2, 3)), np.eye(2))


def test_a_common_basis_of_wide_layers_rebuilds_them():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((4, 50)), rng.standard_normal((3, 50))
    found = joint_svd(first, second)
    np.testing.assert_allclose(found.values, np.linalg.svd(np.vstack([first, second]))[1], rtol=1e-7)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(7), atol=1e-7)
    np.testing.assert_allclose(found.second @ found.directions, second, atol=1e-7)
    assert joint_svd(np.zeros((1, 2)), np.zeros((1, 2))).values.size == 0


def test_the_strongest_joint_directions_alone_are_those_of_the_whole_decomposition():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((6, 20)), rng.standard_normal((5, 20))
    whole, some = joint_svd(a, b), joint_svd(a, b, 3)
    np.testing.assert_allclose(some.values, whole.values)
    np.testing.assert_allclose(some.first, whole.first[:, :3], atol=1e-9)
    np.testing.assert_allclose(some.first_share, whole.first_share[:3], atol=1e-9)
    with pytest.raises(ValueError, match="n_directions: 0"):
        joint_svd(a, b, 0)
