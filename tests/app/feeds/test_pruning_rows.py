"""The pruning page's rows, from counts worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.app.feeds.alone import potentials
from prunescope.app.feeds.joint import read_shares
from prunescope.app.feeds.pruning import removable, reversed_name
from prunescope.app.feeds.selection import in_turns, read_units, redundant_units, selection_lines
from prunescope.app.feeds.surface import limit_of
from prunescope.engine.geometry import frame_potential
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.store import LayerInfo

LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))


def test_what_can_go_is_read_before_the_first_fall():
    accuracy = np.array([0.90, 0.90, 0.895, 0.85, 0.90])
    share = np.linspace(0, 1, 5)
    assert removable(accuracy, share, 0.01) == 0.5
    # A later recovery does not count: the way there leads through the fall.
    assert removable(accuracy, share, 0.0) == 0.25
    assert removable(accuracy, share, 0.10) == 1.0
    assert limit_of(share, accuracy) == 0.5


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != "random"])
def test_the_other_end_of_the_other_end_is_the_criterion(name):
    assert reversed_name(reversed_name(name)) == name
    assert reversed_name(name) != name


@given(st.integers(0, 2**32 - 1))
def test_frame_potentials_along_an_order_equal_those_computed_level_by_level(seed):
    rng = np.random.default_rng(seed)
    weights, order = rng.standard_normal((6, 4)), rng.permutation(6)
    expected = [frame_potential(weights[np.sort(order[m:])]) / (6 - m) ** 2 for m in range(6)]
    assert potentials(weights, order)[:-1] == pytest.approx(expected)
    assert np.isnan(potentials(weights, order)[-1])


def test_a_link_names_units_and_what_is_no_unit_is_left_out():
    assert read_units("3,1, 2,99,-1,x,,1", LAYER) == [1, 2, 3]


def test_members_are_taken_from_all_groups_in_turn():
    assert in_turns([[0, 1, 2], [3], [4, 5]], 4) == [0, 1, 3, 4]


def test_keeping_one_of_each_cluster_keeps_the_nearest_to_its_centre():
    weights = np.array([[1, 0.0], [1, 0.3], [1, -0.3], [0, 1.0], [0.1, 1.0]])
    gone = redundant_units(weights, "one-per-cluster", 2)
    assert 0 not in gone and len(gone) == 3


def test_a_whole_cluster_and_as_many_spread_are_equally_many():
    weights = np.random.default_rng(0).standard_normal((20, 5))
    whole, spread = (redundant_units(weights, kind, 4, 1) for kind in ("whole-cluster", "spread"))
    assert len(whole) == len(spread) and whole != spread


def test_the_price_of_a_selection_stands_beside_chance():
    lines = selection_lines({"seen": 200, "correct": 180, "dense": 190, "by_norm": 186, "random": [184, 188]})
    assert lines[0].startswith("without them: 90.0 % ± 4")
    assert lines[1:] == [
        "whole network: 95.0 %",
        "as many, smallest norm: 93.0 %",
        "as many at random: 93.0 % ± 1.4, 2 draws",
    ]


def test_shares_of_unknown_layers_are_left_out():
    class OneLayer:
        layers = (LAYER,)

    assert read_shares("fc1:50,conv9:20,fc1,fc1:x", OneLayer()) == {"fc1": 0.5}
    assert read_shares("fc1:101", OneLayer()) == {}
