"""Answers on the way to the exact one: each consistent, none worse than the one before."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from prunescope.engine.pruning import (
    PruningError,
    accuracy_curve,
    accuracy_of,
    global_curve,
    stream_ablation,
    stream_curve,
    stream_global_curve,
    trace,
    unit_ablation,
)


def an_order(n: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(n)


def sample(n: int, size: int) -> torch.Tensor:
    """The first examples of the order that a stream takes them in."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:size]


def distinct(parts):
    return [part for i, part in enumerate(parts) if not i or part is not parts[i - 1]]


@pytest.mark.parametrize("layer", ["0", "3", "7"])
@pytest.mark.parametrize("patience", [0.0, 1e9])
def test_every_answer_counts_its_own_levels_and_examples_exactly(convnet, images, layer, patience):
    network, (inputs, targets) = trace(convnet), images
    order = an_order(network.units(layer))
    parts = distinct(list(stream_curve(network, layer, order, inputs, targets, patience=patience)))
    for part in parts[:: max(1, len(parts) // 8)]:
        rows = sample(len(targets), part.n_seen)
        whole = accuracy_curve(network, layer, order, inputs[rows], targets[rows], levels=part.removed)
        assert part.correct.tolist() == whole.correct.tolist()
    assert parts[-1].n_seen == parts[-1].n_total == 200
    assert parts[-1].removed.tolist() == list(range(len(order) + 1))


def test_without_patience_answers_come_early_and_grow(convnet, images):
    parts = list(stream_curve(convnet, "3", an_order(12), *images, patience=0))
    assert parts[0].removed.tolist() == [0, 6, 12]
    assert parts[0].n_seen == 4
    assert len(parts) > len(distinct(parts)) >= 5
    for a, b in pairwise(parts):
        assert set(a.removed) <= set(b.removed)
        assert a.n_seen <= b.n_seen
    assert all({0, 12} <= set(part.removed) for part in parts)
    # All examples are seen only with all levels: "exact" is never said of a part.
    assert [len(p.removed) for p in parts if p.n_seen == p.n_total] == [13]


def test_with_patience_there_is_one_answer_for_a_small_question(mlp, images):
    (only,) = stream_curve(mlp, "1", an_order(24), *images, patience=1e9)
    assert only.correct.tolist() == accuracy_curve(mlp, "1", an_order(24), *images).correct.tolist()


def test_chosen_levels_are_all_answered_in_the_end(mlp, images):
    *_, last = stream_curve(mlp, "1", an_order(24), *images, levels=[3, 20, 24], patience=0)
    assert last.removed.tolist() == [3, 20, 24]
    every = accuracy_curve(mlp, "1", an_order(24), *images)
    assert last.correct.tolist() == every.correct[[3, 20, 24]].tolist()


def test_a_part_is_a_fair_sample_of_sorted_data(mlp, images):
    with torch.no_grad():
        right = mlp(images[0]).argmax(1)
    targets = right.clone()
    targets[100:] = (right[100:] + 1) % 10  # the first half is right, the second wrong
    parts = stream_curve(mlp, "1", an_order(24), images[0], targets, patience=0)
    part = next(part for part in parts if part.n_seen >= 60)
    assert 0.25 <= part.correct[0] / part.n_seen <= 0.75


def test_closing_a_stream_stops_it(mlp, images):
    stream = stream_curve(mlp, "1", an_order(24), *images, patience=0)
    next(stream)
    stream.close()
    assert list(stream) == []


def test_several_layers_stream_to_the_same_counts(convnet, images):
    order = [("3", 2), ("0", 7), ("3", 5), ("7", 1)]
    parts = list(stream_global_curve(convnet, order, *images, patience=0))
    assert len(distinct(parts)) > 2
    assert parts[-1].correct.tolist() == global_curve(convnet, order, *images).correct.tolist()
    *_, one = stream_global_curve(convnet, order, *images, levels=[4], patience=0)
    masked = {"3": [2, 5], "0": [7], "7": [1]}
    assert one.correct.tolist() == [accuracy_of(convnet, masked, *images).correct]


@pytest.mark.parametrize("layer", ["0", "4.conv2"])
def test_ablation_streams_to_its_counts(residual, images, layer):
    inputs, targets = images[0][:60], images[1][:60] % 5
    network = trace(residual)
    parts = distinct(list(stream_ablation(network, layer, inputs, targets, patience=0)))
    assert len(parts) > 2
    # Without patience the first chance to look up comes before any unit was removed from any example.
    assert parts[0].n_seen == 0
    assert not parts[0].correct.any()
    for part in parts[1:]:
        rows = sample(60, part.n_seen)
        whole = unit_ablation(network, layer, inputs[rows], targets[rows])
        assert (part.baseline, part.correct.tolist()) == (whole.baseline, whole.correct.tolist())
    assert (parts[-1].n_seen, parts[-1].n_total) == (60, 60)


def test_one_example_is_enough(mlp, images):
    (only,) = stream_curve(mlp, "1", an_order(24), images[0][:1], images[1][:1], patience=0)
    assert (only.n_seen, only.n_total, len(only.removed)) == (1, 1, 25)


def test_a_bad_question_is_refused_at_the_first_answer(mlp, images):
    with pytest.raises(PruningError, match="unknown layer 'fc1'"):
        next(stream_ablation(mlp, "fc1", *images))
    with pytest.raises(PruningError, match="do not fit"):
        next(stream_curve(mlp, "1", [0], images[0][:, :, :7], images[1]))
