"""The margin loss against hand-worked values; what counts as correct."""

import pytest
import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.training.losses import margin_loss, net_output, objective


def test_margin_loss_is_the_sum_of_one_mean_for_each_class():
    # Positive: max(0, 8−5) = 3 and max(0, 8−9) = 0, mean 1.5. Negative: 1+2 = 3, 0, 1+0 = 1, mean 4/3.
    outputs = torch.tensor([5.0, 9.0, 2.0, -4.0, 0.0])
    targets = torch.tensor([1, 1, 0, 0, 0])
    assert margin_loss(outputs, targets, 8.0).item() == pytest.approx(1.5 + 4 / 3)


def test_a_class_that_a_batch_lacks_adds_nothing():
    assert margin_loss(torch.tensor([5.0]), torch.tensor([1]), 8.0).item() == 3.0


def test_two_logits_mean_their_difference():
    assert net_output(torch.tensor([[0.0, 3.0], [1.0, -1.0]])).tolist() == [3.0, -2.0]
    assert net_output(torch.tensor([[3.0], [-2.0]])).tolist() == [3.0, -2.0]


def test_an_output_of_zero_counts_as_negative():
    judge = objective(RunConfig(dataset="xord", model="xord-net"))
    outputs = torch.tensor([[0.0, 0.0], [0.0, 0.1]])
    assert judge.correct(outputs, torch.tensor([0, 1])).tolist() == [True, True]
    assert judge.correct(outputs, torch.tensor([1, 0])).tolist() == [False, False]


def test_other_models_learn_by_cross_entropy():
    judge = objective(RunConfig())
    outputs = torch.zeros(3, 10)
    assert judge.loss(outputs, torch.tensor([0, 1, 2])).item() == pytest.approx(2.302585)
    assert judge.correct(outputs, torch.tensor([0, 1, 2])).tolist() == [True, False, False]
