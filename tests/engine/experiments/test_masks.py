"""Exact numbers, exact ties, every rate up to all; the arithmetic of the papers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.experiments.masks import (
    SELECTIONS,
    cumulative_counts,
    overlap,
    prune,
    prune_global,
    prune_layers,
    quality_mask,
    removed_after,
    shuffled,
    unit_scores,
)

# LeNet-300-100 on 28×28: Frankle & Carbin 2018, Fig. 2 counts 266,200 weights.
LENET = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(0, 1), st.sampled_from(sorted(SELECTIONS)))
def test_removes_exactly_the_asked_number_even_among_ties(values, rate, select):
    scores = np.array(values, dtype=float)
    count = round(rate * len(values))
    mask = prune(scores, np.ones(len(values), bool), count, select)
    assert (~mask).sum() == count


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=60), st.data())
def test_masks_of_growing_sparsity_are_nested(values, data):
    weights = np.abs(np.array(values))
    few = data.draw(st.integers(0, len(values)))
    many = data.draw(st.integers(few, len(values)))
    whole = np.ones(len(values), bool)
    assert not (prune(weights, whole, many) & ~prune(weights, whole, few)).any()


def test_all_and_none_can_be_removed():
    scores, whole = np.array([3.0, 1.0, 2.0]), np.ones(3, bool)
    assert prune(scores, whole, 3).tolist() == [False] * 3
    assert prune(scores, whole, 0).tolist() == [True] * 3


def test_the_smallest_go_and_what_is_gone_stays_gone():
    mask = np.array([True, False, True, True])
    assert prune(np.array([3.0, 0.0, 1.0, 2.0]), mask, 1).tolist() == [True, False, False, True]
    assert prune(np.array([3.0, 0.0, 1.0, 2.0]), mask, 1, "largest").tolist() == [False, False, True, True]


def test_more_than_there_are_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="5 entries are to be removed and 2 are left"):
        prune(np.ones(3), np.array([True, True, False]), 5)


def test_random_removal_follows_its_seed():
    scores, whole = np.ones(50), np.ones(50, bool)
    one, same, other = (prune(scores, whole, 25, "random", seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize(("rounds", "percent"), [(3, 51.3), (7, 21.1), (9, 13.5), (15, 3.6), (16, 2.9)])
def test_remaining_after_rounds_is_that_of_the_paper(rounds, percent):
    """Frankle & Carbin 2018, Figures 3 to 5; 20% a round, the output layer at half."""
    masks = {layer: np.ones(shape, bool) for layer, shape in LENET.items()}
    assert sum(mask.size for mask in masks.values()) == 266_200
    rng = np.random.default_rng(0)
    scores = {layer: rng.random(shape) for layer, shape in LENET.items()}
    for _ in range(rounds):
        masks = prune_layers(scores, masks, {"fc1": 0.2, "fc2": 0.2, "fc3": 0.1})
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert 100 * kept / 266_200 == pytest.approx(percent, abs=0.1)


def test_one_shot_removes_as_many_as_iterative():
    """Worked by hand: 10 → 8 → 6 (round(1.6) = 2) → 5."""
    assert [removed_after(10, 0.2, rounds) for rounds in range(4)] == [0, 2, 4, 5]
    scores, masks = {"a": np.arange(10.0)}, {"a": np.ones(10, bool)}
    stepwise = masks
    for _ in range(3):
        stepwise = prune_layers(scores, stepwise, {"a": 0.2})
    assert (stepwise["a"] == prune_layers(scores, masks, {"a": 0.2}, rounds=3)["a"]).all()


def test_global_ranks_layers_of_one_rate_together_and_others_apart():
    scores = {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": np.array([10.0, 20.0, 30.0, 40.0]), "out": np.arange(4.0)}
    whole = {layer: np.ones(4, bool) for layer in scores}
    masks = prune_global(scores, whole, {"a": 0.5, "b": 0.5, "out": 0.25})
    assert masks["a"].tolist() == [False] * 4
    assert masks["b"].tolist() == [True] * 4
    assert masks["out"].tolist() == [False, True, True, True]


def test_a_layer_without_a_rate_stays():
    whole = {"a": np.ones(4, bool), "b": np.ones(4, bool)}
    for rule in (prune_layers, prune_global):
        assert rule({"a": np.arange(4.0), "b": np.arange(4.0)}, whole, {"a": 0.5})["b"].all()


def test_quality_keeps_what_lies_above_so_many_standard_deviations():
    weights = np.array([[-2.0, -1.0], [1.0, 2.0]])  # sd = √2.5 = 1.58
    assert quality_mask(weights, 1.0).tolist() == [[True, False], [False, True]]
    assert quality_mask(weights, 0.0).all()


def test_norms_of_units():
    weights = np.array([[3.0, -4.0], [0.0, 0.0]])
    assert unit_scores(weights).tolist() == [5.0, 0.0]
    assert unit_scores(weights, "l1").tolist() == [7.0, 0.0]


def test_a_random_mask_keeps_as_many_in_every_layer():
    masks = {"a": np.array([[True, False], [False, False]]), "b": np.ones(3, bool)}
    other = shuffled(masks, seed=3)
    assert {layer: (mask.sum(), mask.shape) for layer, mask in other.items()} == {"a": (1, (2, 2)), "b": (3, (3,))}


def test_equal_steps_end_at_exactly_the_ratio():
    assert cumulative_counts(10, 0.5, 3) == [2, 3, 5]
    assert cumulative_counts(7, 1.0, 4)[-1] == 7


def test_overlap_of_masks_worked_by_hand_and_against_chance():
    one, other = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert overlap(one, other) == (1 / 3, 0.25 / 0.75)
    rng = np.random.default_rng(0)
    found = overlap(rng.random(200_000) < 0.3, rng.random(200_000) < 0.3)
    assert found.intersection_over_union == pytest.approx(found.expected, abs=0.005)
