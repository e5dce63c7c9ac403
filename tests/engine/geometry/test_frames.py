import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    cosine_matrix,
    expected_frame_potential,
    frame_potential,
    frame_summary,
    leave_one_out,
    mean_abs_inner_product,
    unnormalised_frame_potential,
)


def naive_frame_potential(weights, power=2, unit=True):
    total = 0.0
    for a in weights:
        for b in weights:
            length = np.linalg.norm(a) * np.linalg.norm(b) if unit else 1
            total += abs(a @ b / length) ** power
    return total


def test_worked_by_hand_three_units_in_the_plane():
    weights = [[2.0, 0], [0, 3], [1, 1]]  # cosines 0, √½, √½
    assert frame_potential(weights) == pytest.approx(3 + 2 * (0 + 0.5 + 0.5))
    assert mean_abs_inner_product(weights) == pytest.approx((3 + 4 * np.sqrt(0.5)) / 9)
    assert unnormalised_frame_potential(weights) == pytest.approx(16 + 81 + 4 + 2 * (0 + 4 + 9))


def test_orthogonal_units_have_the_least_and_parallel_ones_the_most():
    assert frame_potential(np.eye(5)) == pytest.approx(5)
    assert frame_potential(np.vstack([np.eye(3), -np.eye(3)])) == pytest.approx(6**2 / 3)  # a tight frame
    assert frame_potential(np.ones((5, 3))) == pytest.approx(25)


def test_random_directions_have_the_expected_potential():
    rng = np.random.default_rng(0)
    mean = np.mean([frame_potential(rng.standard_normal((40, 20))) for _ in range(50)])
    assert mean == pytest.approx(expected_frame_potential(40, 20), rel=0.01)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 1)])
def test_agrees_with_two_loops(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    found = frame_summary(weights)
    assert found.frame_potential == pytest.approx(naive_frame_potential(weights))
    assert frame_potential(weights) == pytest.approx(found.frame_potential)
    assert found.per_pair == pytest.approx(found.frame_potential / shape[0] ** 2)
    assert found.unnormalised == pytest.approx(naive_frame_potential(weights, unit=False))
    assert unnormalised_frame_potential(weights) == pytest.approx(found.unnormalised)
    assert found.mean_abs_inner_product == pytest.approx(naive_frame_potential(weights, 1) / shape[0] ** 2)


def test_leaving_one_out_agrees_with_removing_it():
    weights = np.random.default_rng(0).standard_normal((9, 4))
    found = leave_one_out(weights)
    for unit in range(9):
        rest = np.delete(weights, unit, axis=0)
        assert found.frame_potential[unit] == pytest.approx(frame_potential(rest))
        assert found.mean_abs_inner_product[unit] == pytest.approx(mean_abs_inner_product(rest))
        assert found.unnormalised[unit] == pytest.approx(unnormalised_frame_potential(rest))


def test_a_layer_of_one_unit_has_nothing_left_without_it():
    assert np.isnan(leave_one_out([[1.0, 2]]).frame_potential).all()
    assert frame_potential([[1.0, 2]]) == pytest.approx(1)


@given(st.integers(0, 10_000))
def test_rotation_scaling_and_order_change_no_potential(rotation, seed):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((8, 5))
    moved = rng.permutation(weights * rng.uniform(1e-3, 1e3, (8, 1)) @ rotation(5, seed))
    assert frame_potential(moved) == pytest.approx(frame_potential(weights))
    assert mean_abs_inner_product(moved) == pytest.approx(mean_abs_inner_product(weights))
    assert unnormalised_frame_potential(weights @ rotation(5, seed)) == pytest.approx(
        unnormalised_frame_potential(weights)
    )


def test_large_layers_in_single_precision_agree_to_six_digits():
    weights = np.random.default_rng(0).standard_normal((200, 3000))
    units = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    assert frame_potential(weights) == pytest.approx(np.square(units @ units.T).sum(), rel=1e-6)


def test_the_cosine_matrix_has_an_exact_diagonal_and_stays_in_range():
    cosines = cosine_matrix(np.random.default_rng(0).standard_normal((30, 3)) * 1e-5)
    assert (np.diag(cosines) == 1).all()
    assert np.abs(cosines).max() <= 1


def test_a_pruned_unit_is_named():
    with pytest.raises(ValueError, match=r"rows \[1\] have norm 0"):
        frame_potential([[1.0, 0], [0, 0]])
