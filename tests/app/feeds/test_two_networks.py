"""A second network in the pictures of the first."""

import numpy as np
import pytest
from prunescope.app.feeds.compare import Cohort, pair_of
from prunescope.engine.geometry import project_trajectory


@pytest.fixture
def pair(recorded, random_layer):
    one = recorded("one", w=[random_layer(30, 8), random_layer(30, 8, seed=1)])
    return one, recorded("other", w=[random_layer(12, 8, seed=2)])


def test_both_networks_are_projected_into_a_basis_of_both(pair, rows_of):
    one, other = pair
    rows = rows_of("trajectories", one, **{"with": other.id})
    # The other run has one epoch, which stands beside each of this one's.
    stacked = np.stack([np.vstack([one.weights("w", e), other.weights("w", 0.0)]) for e in (0.0, 1.0)])
    expected = project_trajectory(stacked, n_components=3).points
    for row, points in zip(rows, expected, strict=True):
        assert np.stack([row["x"], row["y"]], axis=1) == pytest.approx(points[:, :2], abs=1e-5)
    assert rows[-1]["labels"].tolist() == [0] * 30 + [1] * 12
    assert rows[-1]["basis_note"].startswith("PCA of all weight vectors of epochs 0 to 1, of both runs")
    assert rows[-1]["sub"].endswith("with other at epoch 0")


def test_beside_a_diverged_network_the_basis_is_this_ones_own(recorded, rows_of, random_layer):
    one = recorded("one", w=[random_layer(10, 5)])
    other = recorded("other", w=[np.full((10, 5), np.nan)])
    [alone], [both] = rows_of("trajectories", one), rows_of("trajectories", one, **{"with": other.id})
    assert both["x"][:10] == pytest.approx(alone["x"])


def test_two_runs_that_differ_in_the_seed_alone_are_merged_by_their_names(pair):
    one, other = pair
    alike = Cohort(runs=(one, other), name="one", colour=0, dash=0)
    assert pair_of([alike]) == [(one, "one"), (other, "other")]
    twins = Cohort(runs=(one, one), name="one", colour=0, dash=0)
    assert [name for _, name in pair_of([twins])] == [one.id, one.id]
    assert pair_of([alike, twins]) == [(one, "one"), (one, "one")]


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
