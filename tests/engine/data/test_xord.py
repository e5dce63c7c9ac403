"""XORD as Brutzkus & Globerson 2019 state it."""

import numpy as np
import pytest
from prunescope.engine.data import load_dataset
from prunescope.engine.data.xord import all_pattern_sets


def label_by_definition(point):
    """Positive iff some pair has equal entries."""
    return int(any(first == second for first, second in point))


def patterns_in(point):
    return {tuple(int(entry) for entry in pair) for pair in point}


@pytest.mark.parametrize("pairs", [4, 5, 8, 30])
def test_every_label_follows_the_definition(pairs):
    data = load_dataset("xord", pairs=pairs)
    for x, y in ((data.train_x, data.train_y), (data.val_x, data.val_y)):
        assert x.shape[1:] == (pairs, 2)
        assert set(x.flatten().tolist()) == {-1.0, 1.0}
        assert [label_by_definition(point) for point in x.tolist()] == y.tolist()


def test_training_points_are_diverse_and_balanced():
    data = load_dataset("xord", pairs=6)
    for point, label in zip(data.train_x.tolist(), data.train_y.tolist(), strict=True):
        everything = {(1, 1), (1, -1), (-1, -1), (-1, 1)}
        assert patterns_in(point) == (everything if label else {(1, -1), (-1, 1)})
    assert data.train_y.float().mean() == 0.5


def test_validation_holds_each_of_the_15_pattern_sets_once():
    points, labels = all_pattern_sets(8)
    assert len({frozenset(patterns_in(point)) for point in points}) == 15
    # Negative are {p2}, {p4} and {p2, p4}.
    assert (labels == 0).sum() == 3


def test_all_runs_see_the_same_points():
    first, second = load_dataset("xord", seed=0), load_dataset("xord", seed=1)
    assert np.array_equal(first.train_x, second.train_x)


def test_the_number_of_training_points_can_be_chosen():
    assert len(load_dataset("xord", train_examples=200).train_x) == 200
