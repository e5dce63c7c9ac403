"""Spectra, subspaces and low-rank swaps as the page tells them."""

import numpy as np
import pytest
from prunescope.app.feeds.lowrank import enough_rank, swap_row
from prunescope.app.feeds.pair import random_angles
from prunescope.app.feeds.spectrum import noise_rows
from prunescope.engine.geometry import singular_values

STRETCHED = np.diag([4.0, 2.0, 1.0])


def test_singular_values_are_those_of_the_matrix(recorded, rows_of, random_layer):
    w = random_layer(7, 12)
    [row] = rows_of("spectrum", recorded(w=[w]))
    assert row["values"] == pytest.approx(np.linalg.svd(w.astype(float), compute_uv=False), rel=1e-5)


def test_the_knee_and_the_lost_share_by_hand(recorded, rows_of):
    # Squares 16, 4, 1: lost 1, 5/21, 1/21, 0. Gain 1 − k/3 − lost: 0, .43, .29, 0.
    [row] = rows_of("spectrum", recorded(w=[STRETCHED]))
    assert row["left"] == pytest.approx([1, 5 / 21, 1 / 21, 0])
    assert row["label_knee"] == "knee k = 1, r = 3"


def test_noise_expects_as_many_eigenvalues_as_there_are(random_layer):
    w = random_layer(60, 200).astype(float)
    row = noise_rows(singular_values(w), 60, 200)
    assert row["esd"].sum() == 60
    assert row["esd_noise"].sum() == pytest.approx(60, rel=0.02)
    assert row["above"] <= 1


def test_a_planted_direction_rises_above_noise(random_layer, recorded, rows_of):
    w = random_layer(60, 200)
    planted = w + 3 * np.outer(random_layer(60, 1, seed=1), random_layer(1, 200, seed=2))
    rows = rows_of("spectrum", recorded(w=[w, planted]))
    assert rows[1]["above"] >= 1
    assert "one rises above noise" in rows[1]["finding"]


def test_units_inside_the_trained_subspace_have_no_residual(recorded, rows_of):
    flat = np.array([[1.0, 0, 0], [0, 2, 0], [3, 1, 0], [1, 1, 0]])
    outside = flat + np.array([0, 0, 5.0])
    rows = rows_of("spectrum", recorded(w=[outside, flat]), rank="2")
    assert rows[1]["residual_selected"] == pytest.approx([0, 0, 0], abs=1e-6)
    assert rows[0]["residual_selected"].min() > 0.5


def test_the_subspace_stays_that_of_the_fitted_epoch(recorded, rows_of):
    a, b = np.array([[1.0, 0], [2, 0]]), np.array([[0, 1.0], [0, 2]])
    rows = rows_of("spectrum", recorded(w=[a, b]), rank="1", fit="0", cutoff="0")
    assert rows[0]["residual_selected"][1] == pytest.approx(0, abs=1e-6)
    assert rows[1]["residual_selected"][1] == pytest.approx(1)


def test_the_same_epoch_has_no_angle_to_itself_and_shares_every_direction(recorded, rows_of, random_layer):
    row = rows_of("pair", recorded(w=[random_layer(8, 20)]), rank="4")[-1]
    assert row["pair_angles"] == pytest.approx(np.zeros(4), abs=1e-3)
    assert row["joint_here"] == pytest.approx(row["joint_there"])
    assert row["joint_here"].sum() + row["joint_there"].sum() == pytest.approx(100)


def test_random_ten_dimensional_subspaces_of_784_stand_between_78_and_89_degrees():
    found = random_angles(10, 784)
    assert 76 < found[0] < 81 and 88 < found[-1] < 90


def test_two_runs_with_other_inputs_cannot_be_compared(recorded, rows_of, random_layer):
    one, other = recorded("one", w=[random_layer(4, 6)]), recorded("other", w=[random_layer(4, 5)])
    with pytest.raises(ValueError, match="reads 6 inputs in one and 5 in other"):
        rows_of("pair", one, **{"with": other.id})


def test_an_unknown_second_run_is_named(recorded, rows_of, random_layer):
    with pytest.raises(ValueError, match="nowhere"):
        rows_of("pair", recorded(w=[random_layer(4, 6)]), **{"with": "nowhere"})


def test_the_rank_that_is_enough_lies_above_the_last_shortfall():
    k, accuracy = np.array([1, 2, 3, 4, 5]), np.array([0.5, 0.9, 0.7, 0.89, 0.9])
    assert enough_rank(k, accuracy) == 4
    assert enough_rank(k, np.full(5, 0.9)) == 1


def test_a_swap_is_told_as_measured_accuracy():
    message = {"k": [1, 4], "correct": [50, 90], "norm_ratio": [0.6, 1.0], "rank": 4, "total": 100, "whole": True}
    row = swap_row(message)
    assert row["swap"].tolist() == [0.5, 0.9]
    assert row["swap_label"] == "rank 4 of 4 keeps all but one point"
    assert (row["swap_low"] < row["swap"]).all() and (row["swap"] < row["swap_high"]).all()
