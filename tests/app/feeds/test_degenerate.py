"""Layers without geometry get a sentence on every page, never an error."""

import numpy as np
import pytest

FEEDS = ("structure", "frames", "spectrum", "pair", "similarity", "groups", "cosines")


def diverged() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    healthy = rng.standard_normal((6, 4))
    dead, wild = healthy.copy(), healthy.copy()
    dead[2] = 0
    wild[1] = np.nan
    return [healthy, dead, wild, np.zeros((6, 4)), healthy]


LAYERS = {
    "one unit": [np.ones((1, 5))] * 2,
    "one input": [np.array([[1.0], [-2], [3]])] * 2,
    "identical units": [np.ones((5, 3))] * 2,
    "two units": [np.eye(2)] * 2,
    "diverged and pruned": diverged(),
    "tiny numbers": [np.eye(3) * 1e-30] * 2,
}


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("weights", LAYERS.values(), ids=LAYERS)
def test_every_feed_answers(recorded, rows_of, feed, weights):
    assert rows_of(feed, recorded(w=weights))


def test_a_diverged_epoch_is_named_and_the_next_one_is_healthy_again(recorded, rows_of):
    rows = rows_of("structure", recorded(w=diverged()))
    assert "values that are no numbers" in rows[2]["finding"] and "epoch 2" in rows[2]["finding"]
    assert "have norm 0" in rows[3]["finding"]
    assert "random directions" in rows[4]["finding"]


def test_a_pruned_unit_is_left_out_and_said(recorded, rows_of):
    row = rows_of("structure", recorded(w=diverged()))[1]
    assert "1 neuron of norm 0 left out" in row["sub"]
    assert np.flatnonzero(np.isnan(row["without_fp"])).tolist() == [2]


def test_one_unit_is_told_to_have_no_pairs(recorded, rows_of):
    run = recorded(w=LAYERS["one unit"])
    assert "no pairs" in rows_of("structure", run)[0]["finding"]
    assert "no pairs" in rows_of("similarity", run)[0]["problem"]
