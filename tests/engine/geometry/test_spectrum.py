import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    effective_rank,
    low_rank,
    reconstruction_error,
    selected_split,
    singular_values,
    spectral_density,
    stable_rank,
)


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (1, 4), (4, 1)])
def test_singular_values_agree_with_the_decomposition(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(singular_values(weights), np.linalg.svd(weights)[1], atol=1e-7)


@given(st.integers(0, 10_000))
def test_rotation_and_order_change_no_spectrum(rotation, seed):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((6, 4))
    moved = rng.permutation(weights @ rotation(4, seed))
    np.testing.assert_allclose(singular_values(moved), singular_values(weights), atol=1e-7)


def test_noise_lies_inside_the_law_and_a_strong_direction_above_it():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((100, 300))
    assert spectral_density(noise).above <= 2
    spiked = noise + 4 * np.outer(rng.standard_normal(100), rng.standard_normal(300)) / 10
    found = spectral_density(spiked)
    assert 1 <= found.above <= 3
    assert found.scale == pytest.approx(np.sqrt((spiked**2).mean()))
    assert spectral_density(np.zeros((2, 3))).above == 0


def test_ranks_worked_by_hand():
    assert effective_rank([1, 1, 1, 0]) == pytest.approx(3)
    assert effective_rank([3, 1]) == pytest.approx(math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)))
    assert stable_rank([2, 1, 1]) == pytest.approx(6 / 4)
    assert math.isnan(effective_rank([0.0]))
    assert math.isnan(stable_rank([0.0, 0]))


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20), st.floats(1e-3, 1e3))
def test_ranks_ignore_scale_and_lie_between_one_and_the_number_of_values(values, factor):
    values = np.array(values)
    for rank in (effective_rank, stable_rank):
        assert rank(values * factor) == pytest.approx(rank(values))
        assert 1 - 1e-9 <= rank(values) <= len(values) + 1e-9


def test_reconstruction_error_and_knee_worked_by_hand():
    found = reconstruction_error([1.0, 3, 1])  # any order
    np.testing.assert_allclose(found.errors, [11, 2, 1, 0])
    # 1 − k/3 − RE_k/11: 0, .485, .242, 0
    assert found.knee == 1
    assert found.rank == 3


def test_equal_singular_values_have_no_knee():
    assert reconstruction_error(np.full(7, 0.3)).knee == 0
    assert reconstruction_error([0.0, 0]).knee == 0


@pytest.mark.parametrize("shape", [(7, 5), (5, 30)])
def test_the_low_rank_layer_errs_by_the_reconstruction_error(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    errors = reconstruction_error(singular_values(weights)).errors
    for k in range(6):
        found = low_rank(weights, k)
        assert np.square(weights - found.weights).sum() == pytest.approx(errors[k], abs=1e-9)
        assert found.norm_ratio == pytest.approx(np.linalg.norm(found.weights) / np.linalg.norm(weights))
    with pytest.raises(ValueError, match="k: 6, expected 0 to"):
        low_rank(weights, 6)
    assert math.isnan(low_rank(np.zeros((2, 2)), 1).norm_ratio)


def test_the_split_takes_norms_strictly_above_the_cutoff():
    weights = np.diag([1.0, 2, 3])
    found = selected_split(weights, 2)
    assert found.selected.tolist() == [False, False, True]
    assert found.selected_values.tolist() == [3]
    np.testing.assert_allclose(found.unselected_values, [2, 1])
    assert selected_split(weights, 9).selected_values.size == 0


@pytest.mark.parametrize("values", [[-1.0], [np.nan], [], [[1.0]]])
def test_impossible_singular_values_are_refused(values):
    with pytest.raises(ValueError, match="finite singular values"):
        reconstruction_error(values)
