"""A second network in the pictures of the first."""

import numpy as np
import pytest


@pytest.fixture
def pair(recorded, random_layer):
    one = recorded("one", w=[random_layer(30, 8), random_layer(30, 8, seed=1)])
    return one, recorded("other", w=[random_layer(12, 8, seed=2)])


def test_both_networks_are_projected_into_one_basis(pair, rows_of):
    one, other = pair
    alone = rows_of("trajectories", one)[-1]
    both = rows_of("trajectories", one, **{"with": other.id})[-1]
    # The basis is this run's own: its points stand where they stood, the other's come after them.
    assert both["x"][:30] == pytest.approx(alone["x"])
    assert len(both["x"]) == 42
    assert both["labels"].tolist() == [0] * 30 + [1] * 12


def test_the_same_run_twice_is_drawn_twice_in_one_place(pair, rows_of):
    one, _ = pair
    both = rows_of("trajectories", one, **{"with": one.id})[-1]
    assert both["x"][30:] == pytest.approx(both["x"][:30])


def test_the_others_angles_are_counted_as_many(pair, rows_of):
    one, other = pair
    row = rows_of("alignment", one, **{"with": other.id})[-1]
    # One point a degree, units per 2° bar: the sum is twice the number of units, less what the ends cut off.
    assert row["density_other"].sum() / 2 == pytest.approx(30, rel=0.03)
    assert row["label_other"].startswith("other, epoch 0 · mean")


def test_a_diverged_other_network_leaves_this_one_readable(recorded, rows_of, random_layer):
    one = recorded("one", w=[random_layer(10, 5)])
    other = recorded("other", w=[np.full((10, 5), np.nan)])
    [row] = rows_of("alignment", one, **{"with": other.id})
    assert row["label_other"] == "other: no angles"
    assert np.isfinite(row["mean"])
