"""Frame potential, norms and the race, against values worked by hand and simulated."""

import numpy as np
import pytest
from prunescope.app.feeds.frames import expected_inner_product
from prunescope.app.feeds.structure import outgoing_weights, potential_sd, reader_of
from prunescope.engine.store import LayerInfo

AXES = np.array([[1, 0], [0, 2], [3, 0]])


def layer(name: str, units: int, fan_in: int) -> LayerInfo:
    return LayerInfo(name=name, kind="linear", units=units, fan_in=fan_in, shape=(units, fan_in))


def test_two_on_one_axis_and_one_on_the_other_have_a_frame_potential_of_five(recorded, rows_of):
    # ⟨·,·⟩² sums to 3 (diagonal) + 2 (the pair on one axis); random: 3 + 3·2/2 = 6.
    row = rows_of("structure", recorded(w=[AXES, AXES]))[-1]
    assert row["big"] == "0.83 ×"
    # Without one of the pair 2 is left of 5, without the other axis 4.
    assert row["without_fp"] == pytest.approx([-60, -20, -60])
    assert row["norms"].tolist() == [1, 2, 3]


def test_the_layers_curve_and_the_pages_number_agree(recorded, rows_of, random_layer):
    run = recorded(w=[random_layer(20, 8)])
    [numbers], [frames] = rows_of("structure", run), rows_of("frames", run)
    assert numbers["big"] == f"{frames['fp_ratio'][0]:.2f} ×"
    assert frames["fp_share"][0] == pytest.approx(frames["fp_ratio"][0] * frames["fp_null"][0])


def test_the_spread_of_random_potentials_is_the_simulated_one():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(2000):
        w = rng.standard_normal((12, 5))
        w /= np.linalg.norm(w, axis=1, keepdims=True)
        found.append(((w @ w.T) ** 2).sum())
    assert potential_sd(12, 5) == pytest.approx(np.std(found), rel=0.06)


def test_the_expected_inner_product_is_the_simulated_one():
    w = np.random.default_rng(2).standard_normal((900, 6))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    assert expected_inner_product(900, 6) == pytest.approx(np.abs(w @ w.T).mean(), rel=0.02)


def test_random_directions_get_no_claim(recorded, rows_of, random_layer):
    [row] = rows_of("structure", recorded(w=[random_layer(60, 30)]))
    assert "as random directions do" in row["finding"]


def test_copies_of_one_direction_are_called_redundant(recorded, rows_of):
    w = np.tile([[1.0, 2, 3, 4]], (10, 1))
    [row] = rows_of("structure", recorded(w=[w]))
    # N² over N + N(N−1)/d = 100 / 32.5.
    assert "overlap 3.08 times as much as random directions" in row["finding"]


def test_a_unit_that_turned_by_a_right_angle_has_cosine_zero_to_its_start(recorded, rows_of):
    turned = np.array([[0, 1], [0, 2], [3, 0]])
    row = rows_of("structure", recorded(w=[AXES, turned]))[-1]
    assert row["to_init"] == pytest.approx([0, 1, 1])


def test_strength_in_the_race_is_norm_in_times_norm_out(recorded, rows_of):
    reader = np.array([[3.0, 1, 0], [4, 0, 2]])
    run = recorded(first=[AXES] * 3, second=[reader] * 3)
    row = rows_of("structure", run, early="1")[-1]
    assert row["race_y"] == pytest.approx([1 * 5, 2 * 1, 3 * 2])
    assert row["race_x"] == pytest.approx([1, 1, 1])


def test_the_race_has_not_begun_before_its_early_epoch(recorded, rows_of):
    rows = rows_of("structure", recorded(w=[AXES] * 3), early="2")
    assert [row["race_said"] for row in rows] == ["begins after epoch 2"] * 3


def test_a_layer_that_reads_something_else_is_no_reader():
    a, b, c = layer("a", 4, 9), layer("b", 3, 8), layer("c", 2, 7)
    assert reader_of((a, b, c), a) == b
    assert reader_of((a, b, c), b) is None
    assert reader_of((a, b, c), c) is None


def test_outgoing_weights_of_a_flattened_map_are_gathered_by_channel():
    # Two readers, two channels of two positions each.
    weights = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert outgoing_weights(weights, 2).tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]
