import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import principal_basis, project_onto, project_trajectory, trajectories


def naive(rows, n_components):
    centered = rows - rows.mean(axis=0)
    values, axes = np.linalg.svd(centered, full_matrices=False)[1:]
    return axes[:n_components], values[:n_components] ** 2 / (values**2).sum()


@pytest.fixture
def walk():
    """Weights that drift along three strong directions: (epochs, units, fan_in)."""

    def draw(epochs=6, units=20, fan_in=15, dtype=np.float64):
        rng = np.random.default_rng(0)
        start = rng.standard_normal((units, fan_in))
        drift = rng.standard_normal((units, 3)) * [4, 2, 1] @ rng.standard_normal((3, fan_in))
        return np.stack([start + t * drift + 1 for t in np.linspace(0, 1, epochs)]).astype(dtype)

    return draw


@pytest.mark.parametrize("shape", [(6, 20, 15), (2, 5, 300), (40, 30, 8)])
@pytest.mark.parametrize("basis", ["all", "first", "last"])
def test_agrees_with_the_plain_decomposition(walk, shape, basis):
    array = walk(*shape)
    rows = {"all": array.reshape(-1, shape[2]), "first": array[0], "last": array[-1]}[basis]
    axes, ratio = naive(rows, 3)
    found = project_trajectory(array, 3, basis)
    np.testing.assert_allclose(found.explained_variance_ratio, ratio, rtol=1e-8)
    np.testing.assert_allclose(np.abs((found.components * axes).sum(axis=1)), 1, atol=1e-8)
    np.testing.assert_allclose(found.points, (array - rows.mean(axis=0)) @ found.components.T, atol=1e-10)


def test_the_passes_over_a_large_layer_find_the_same_plane(walk, monkeypatch):
    array = walk(5, 300, 400, np.float32)
    axes, ratio = naive(array.reshape(-1, 400).astype(np.float64), 2)
    monkeypatch.setattr(trajectories, "_EXACT_BELOW", 0)
    found = principal_basis(array, 2)
    np.testing.assert_allclose(found.explained_variance_ratio, ratio, rtol=1e-4)
    np.testing.assert_allclose(np.abs((found.components * axes).sum(axis=1)), 1, atol=1e-4)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(2), atol=1e-6)


def test_the_passes_find_the_variance_of_pure_noise(monkeypatch):
    """No axis stands out, so only the variances are defined."""
    array = np.random.default_rng(0).standard_normal((5, 300, 400))
    monkeypatch.setattr(trajectories, "_EXACT_BELOW", 0)
    ratio = principal_basis(array, 2).explained_variance_ratio
    np.testing.assert_allclose(ratio, naive(array.reshape(-1, 400), 2)[1], rtol=1e-2)


def test_the_largest_loading_is_positive(walk):
    found = project_trajectory(walk(), 3)
    for axis in found.components:
        assert axis[np.abs(axis).argmax()] > 0


def test_a_live_epoch_is_projected_into_the_same_basis(walk):
    array = walk()
    found = project_trajectory(array[:4], 2)
    np.testing.assert_allclose(project_onto(found, array[2]), found.points[2], atol=1e-12)
    assert project_onto(found, array[5]).shape == (20, 2)


def test_the_share_of_each_epoch_is_its_own_variance_in_the_plane(walk):
    array = walk()
    found = project_trajectory(array, 2)
    for epoch, share in enumerate(found.explained_by_epoch):
        assert share == pytest.approx(found.points[epoch].var(axis=0).sum() / array[epoch].var(axis=0).sum())


@given(st.integers(0, 10_000))
def test_rotating_the_input_space_rotates_the_basis_and_leaves_the_picture(walk, rotation, seed):
    array, q = walk(), rotation(15, seed)
    before, after = project_trajectory(array, 2), project_trajectory(array @ q, 2)
    signs = np.sign((before.components @ q * after.components).sum(axis=1))
    np.testing.assert_allclose(before.points * signs, after.points, atol=1e-8)


@given(st.integers(0, 10_000))
def test_the_order_of_units_changes_no_path(walk, seed):
    array = walk()
    order = np.random.default_rng(seed).permutation(20)
    np.testing.assert_allclose(
        project_trajectory(array[:, order], 2).points,
        project_trajectory(array, 2).points[:, order],
        atol=1e-8,
    )


def test_identical_vectors_have_no_variance_and_sit_at_the_origin():
    found = project_trajectory(np.ones((3, 4, 5)), 2)
    assert found.explained_variance_ratio.tolist() == [0, 0]
    np.testing.assert_allclose(found.points, 0, atol=1e-12)
    assert np.isnan(found.explained_by_epoch).all()
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(2), atol=1e-10)


def test_one_unit_one_epoch_and_one_dimension_are_defined():
    assert project_trajectory(np.ones((1, 1, 1)), 1).points.tolist() == [[[0]]]
    assert project_trajectory([[[1.0, 2]], [[3.0, 4]]], 2).explained_variance_ratio == pytest.approx([1, 0])


def test_more_components_than_rows_are_filled_orthonormally():
    found = project_trajectory(np.random.default_rng(0).standard_normal((1, 2, 50)), 3)
    assert found.explained_variance_ratio == pytest.approx([1, 0, 0], abs=1e-10)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(3), atol=1e-8)


def test_a_diverged_epoch_is_named(walk):
    array = walk()
    array[4, 3, 2] = np.nan
    with pytest.raises(ValueError, match=r"epoch number 4 of 6 .* trajectory\[:4\]"):
        project_trajectory(array)


def test_impossible_settings_are_named(walk):
    with pytest.raises(ValueError, match="n_components: 16, expected 1 to the fan-in 15"):
        project_trajectory(walk(), 16)
    with pytest.raises(ValueError, match="'middle', expected one of all, first, last"):
        project_trajectory(walk(), basis="middle")
    with pytest.raises(ValueError, match="fan-in 3, the basis was fitted on 15"):
        project_onto(project_trajectory(walk()), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(6, 20\)"):
        project_trajectory(walk()[:, :, 0])
