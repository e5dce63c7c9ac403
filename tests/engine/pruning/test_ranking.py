"""Criteria that need the model; agreement with Torch-Pruning; checks 10 and 11 of the specification."""

import numpy as np
import pytest
import torch
from prunescope.engine.pruning import (
    CRITERIA,
    accuracy_curve,
    criterion_named,
    global_order,
    rank_units,
    rank_weights,
    trace,
)
from prunescope.engine.pruning.ranking import model_quantities, weight_vectors
from prunescope.engine.pruning.scores import unit_quantities
from torch import nn


def quantities(model, layer, name, inputs=None, targets=None):
    return model_quantities(trace(model), layer, criterion_named(name), inputs, targets)


def test_activations_are_taken_behind_norm_and_activation(convnet, images):
    with torch.no_grad():
        behind = convnet[:3](images[0]).double()
    axes = (0, 2, 3)
    expected = {
        "activation-mean": behind.mean(axes),
        "activation-l1": behind.abs().mean(axes),
        "activation-l2": (behind**2).mean(axes).sqrt(),
        "activation-std": behind.std(axes, correction=0),
        "activation-zeros": (behind == 0).double().mean(axes),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(quantities(convnet, "0", name, images[0]), values, rtol=1e-6)


def test_activations_of_linear_units(mlp, images):
    with torch.no_grad():
        behind = mlp[:3](images[0]).double()
    np.testing.assert_allclose(quantities(mlp, "1", "activation-mean", images[0]), behind.mean(0), rtol=1e-6)


def test_taylor_is_the_gradient_of_the_mean_loss_times_the_weight(convnet, images):
    nn.functional.cross_entropy(convnet(images[0]), images[1]).backward()
    weight = convnet[3].weight
    by_hand = (weight * weight.grad).flatten(1).sum(1).abs().detach()
    found = quantities(convnet, "3", "taylor", *images)
    np.testing.assert_allclose(found, by_hand, rtol=1e-3, atol=1e-7)


def test_bn_scale_reads_the_norm_behind(convnet):
    expected = convnet[1].weight.detach().abs().double()
    np.testing.assert_array_equal(quantities(convnet, "0", "bn-scale"), expected)


def test_ablation_ranks_by_what_is_lost(mlp, images):
    order = rank_units(mlp, "1", "ablation", *images)
    lost = quantities(mlp, "1", "ablation", *images)
    assert (np.diff(lost[order]) >= 0).all()
    ties = np.flatnonzero(np.diff(lost[order]) == 0)
    assert (order[ties] < order[ties + 1]).all()


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_orders_every_unit(name, convnet, images):
    order = rank_units(convnet, "0", name, *images, seed=3, initial=torch.zeros(8, 1, 3, 3))
    assert sorted(order) == list(range(8))
    assert order.dtype == np.int64
    again = rank_units(convnet, "0", name, *images, seed=3, initial=torch.zeros(8, 1, 3, 3))
    assert order.tolist() == again.tolist()


# Two units alone in a cluster are equally far from its center, and counts of correct answers tie.
TYING = ("random", "center-angle", "one-per-cluster", "ablation")


@pytest.mark.parametrize("name", [n for n, c in CRITERIA.items() if not c.greedy and c.base not in TYING])
def test_the_other_direction_is_the_reverse_when_no_two_units_tie(name, convnet, images):
    criterion = CRITERIA[name]
    other = next(c for c in CRITERIA.values() if c.base == criterion.base and c.first != criterion.first)
    extra = {"initial": torch.zeros(8, 1, 3, 3)}
    forth = rank_units(convnet, "0", name, *images, **extra)
    assert forth.tolist() == rank_units(convnet, "0", other.name, *images, **extra)[::-1].tolist()


def test_weights_only_criteria_agree_with_plain_arrays(convnet):
    weights = convnet[3].weight.detach().numpy().reshape(12, -1)
    for name, criterion in CRITERIA.items():
        if criterion.weights_only and criterion.base != "moved":
            assert rank_units(convnet, "3", name).tolist() == rank_weights(weights, name).tolist()


def test_global_orders_take_the_same_share_of_every_layer(convnet):
    order = global_order(convnet, ["0", "3"], "l2")
    assert len(order) == 20
    first_half = [layer for layer, _ in order[:10]]
    assert (first_half.count("0"), first_half.count("3")) == (4, 6)
    assert {layer for layer, _ in order[-2:]} == {"0", "3"}


def test_lamp_compares_layers_and_leaves_each_its_last_unit_to_the_end(convnet):
    order = global_order(convnet, ["0", "3"], "lamp")
    assert sorted(order[-2:]) == sorted(
        (layer, int(rank_units(convnet, layer, "l2")[-1])) for layer in ("0", "3")
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        ("l1", "GroupMagnitudeImportance", {"p": 1, "normalizer": None, "group_reduction": "first"}),
        ("l2", "GroupMagnitudeImportance", {"p": 2, "normalizer": None, "group_reduction": "first"}),
        ("lamp", "LAMPImportance", {"group_reduction": "first"}),
        ("bn-scale", "BNScaleImportance", {"normalizer": None}),
        (
            "taylor",
            "GroupTaylorImportance",
            {"normalizer": None, "group_reduction": "first", "multivariable": True},
        ),
    ],
)
def test_scores_agree_with_torch_pruning(ours, theirs, options, convnet, images):
    tp = pytest.importorskip("torch_pruning")
    graph = tp.DependencyGraph().build_dependency(convnet, example_inputs=images[0][:2])
    group = graph.get_pruning_group(convnet[0], tp.prune_conv_out_channels, idxs=list(range(8)))
    convnet.zero_grad()
    nn.functional.cross_entropy(convnet(images[0]), images[1]).backward()
    scores = getattr(tp.importance, theirs)(**options)(group).detach().numpy()
    if CRITERIA[ours].weights_only:
        mine = unit_quantities(weight_vectors(trace(convnet), "0"), ours)
    else:
        mine = quantities(convnet, "0", ours, *images)
    # Torch-Pruning leaves out the root of the L2 norm.
    np.testing.assert_allclose(mine**2 if ours == "l2" else mine, scores, rtol=2e-3, atol=1e-7)


@pytest.mark.filterwarnings("ignore")
def test_fpgm_agrees_with_torch_pruning_where_its_powers_change_nothing(convnet, images):
    # It measures distances between |w|^p: with p = 1 and no negative weight, between the weights.
    tp = pytest.importorskip("torch_pruning")
    convnet[0].weight.data.abs_()
    graph = tp.DependencyGraph().build_dependency(convnet, example_inputs=images[0][:2])
    group = graph.get_pruning_group(convnet[0], tp.prune_conv_out_channels, idxs=list(range(8)))
    scores = tp.importance.FPGMImportance(p=1, normalizer=None, group_reduction="first")(group).numpy()
    np.testing.assert_allclose(
        unit_quantities(weight_vectors(trace(convnet), "0"), "fpgm"), scores, rtol=1e-4
    )


@pytest.fixture(scope="module")
def trained(digits, fit):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
    return fit(model, digits[0], digits[1], epochs=15, lr=0.1)


def mean_accuracy(model, layer, name, data, seed=0):
    order = rank_units(model, layer, name, *data, seed=seed)
    return accuracy_curve(model, layer, order, *data).accuracy.mean()


def test_smallest_norm_first_beats_random_beats_largest_first_on_300_100(trained, digits):
    data = digits[2:]
    random = np.mean([mean_accuracy(trained, "1", "random", data, seed) for seed in range(5)])
    assert mean_accuracy(trained, "1", "l2", data) > random > mean_accuracy(trained, "1", "l2:largest", data)


def test_half_of_the_filters_matter_least_when_smallest_go_first(digits, fit):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    )
    model.append(nn.Flatten()).append(nn.Linear(512, 10))
    fit(model, digits[0], digits[1], epochs=8, lr=0.05)
    for layer, half in (("0", 8), ("2", 16)):

        def at_half(name, seed=0, layer=layer, half=half):
            order = rank_units(model, layer, name, seed=seed)
            return accuracy_curve(model, layer, order, *digits[2:], levels=[half]).accuracy[0]

        random = np.mean([at_half("random", seed) for seed in range(5)])
        assert at_half("l1") > random > at_half("l1:largest")
