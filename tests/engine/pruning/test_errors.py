"""Bad questions: what, which value, what to do."""

import numpy as np
import pytest
import torch
from prunescope.engine.pruning import (
    PruningError,
    accuracy_curve,
    accuracy_of,
    rank_units,
    remove_units,
    stream_curve,
    unit_ablation,
)


def test_an_unknown_layer_lists_the_layers(mlp, images):
    for ask in (
        lambda: accuracy_curve(mlp, "fc1", [0], *images),
        lambda: accuracy_curve(mlp, "fc1", [], *images),
        lambda: unit_ablation(mlp, "fc1", *images),
        lambda: accuracy_of(mlp, {"fc1": []}, *images),
        lambda: remove_units(mlp, "fc1", [0]),
        lambda: rank_units(mlp, "fc1"),
        lambda: next(stream_curve(mlp, "fc1", [0], *images)),
    ):
        with pytest.raises(PruningError, match=r"unknown layer 'fc1'\. Known: 1, 3, 5\."):
            ask()


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ([24], r"units \[24\] of layer '1' do not exist: it has units 0 to 23"),
        ([-1], r"units \[-1\]"),
        ([1, 2, 1], "repeat"),
        ([0.5], "whole numbers"),
        ([[1, 2]], "whole numbers in one row"),
        ([True], "whole numbers"),
    ],
)
def test_strange_units_are_named(mlp, images, units, said):
    with pytest.raises(PruningError, match=said):
        accuracy_curve(mlp, "1", np.array(units), *images)
    with pytest.raises(PruningError, match=said):
        remove_units(mlp, "1", np.array(units))


def test_a_layer_may_be_pruned_to_nothing_in_a_curve_but_not_in_a_network(mlp, images):
    assert len(accuracy_curve(mlp, "1", range(24), *images).correct) == 25
    with pytest.raises(PruningError, match="'1' would be left without units: all 24 are to go"):
        remove_units(mlp, "1", range(24))


@pytest.mark.parametrize(
    ("inputs", "targets", "said"),
    [
        (torch.zeros(5, 63), torch.zeros(5, dtype=torch.int64), r"inputs of shape \(5, 63\) do not fit"),
        (torch.zeros(5, 64).double(), torch.zeros(5, dtype=torch.int64), "do not fit the network"),
        (torch.zeros(5, 64), torch.zeros(4, dtype=torch.int64), "class numbers for 5 inputs"),
        (torch.zeros(5, 64), torch.zeros(5), "class numbers"),
        (torch.zeros(5, 64), torch.zeros(5, 10, dtype=torch.int64), "class numbers"),
        (torch.zeros(0, 64), torch.zeros(0, dtype=torch.int64), "class numbers for 0 inputs"),
        (torch.zeros(5, 64), torch.full((5,), 10), "classes 10 to 10, but the network has logits for 0 to 9"),
        (torch.zeros(5, 64), torch.full((5,), -1), "classes -1"),
        (np.zeros((5, 64)), torch.zeros(5, dtype=torch.int64), "want torch tensors"),
    ],
)
def test_data_that_do_not_fit_are_named(mlp, inputs, targets, said):
    with pytest.raises(PruningError, match=said):
        accuracy_curve(mlp, "1", [0], inputs, targets)


@pytest.mark.parametrize("levels", [[-1], [25], [], [0.5], [[1]]])
def test_levels_outside_the_order_are_named(mlp, images, levels):
    with pytest.raises(PruningError, match="levels: "):
        accuracy_curve(mlp, "1", range(24), *images, levels=np.array(levels))


def test_an_output_that_is_no_row_of_logits_is_named(images):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Conv2d(3, 2, 3))
    with pytest.raises(PruningError, match=r"output is \(1, 2, 4, 4\): accuracy needs logits"):
        accuracy_curve(model, "0", [0], *images)


def test_what_a_criterion_lacks_is_named(mlp, images):
    with pytest.raises(PruningError, match="'activation-l1' needs inputs"):
        rank_units(mlp, "1", "activation-l1")
    with pytest.raises(PruningError, match="'taylor' needs targets"):
        rank_units(mlp, "1", "taylor", images[0])
    with pytest.raises(PruningError, match="no BatchNorm stands behind '1'"):
        rank_units(mlp, "1", "bn-scale")
    with pytest.raises(PruningError, match="unknown criterion 'l7'"):
        rank_units(mlp, "1", "l7")
