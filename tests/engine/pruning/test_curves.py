"""Every fast path against evaluating each masked network by itself, at every level."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prunescope.engine.pruning import (
    accuracy_curve,
    accuracy_of,
    global_curve,
    masked,
    remove_units,
    trace,
    unit_ablation,
)
from torch import nn


def an_order(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


@pytest.mark.parametrize(
    ("layer", "norm", "path"),
    [("0", "1", "conv-consumer"), ("3", None, "linear-consumer"), ("7", None, "linear-consumer")],
)
def test_counts_of_a_conv_net_are_the_naive_ones(convnet, images, naive_counts, layer, norm, path):
    units = len(convnet.get_submodule(layer).weight)
    order = an_order(units)
    curve = accuracy_curve(convnet, layer, order, *images)
    assert curve.correct.tolist() == naive_counts(convnet, layer, order, *images, norm=norm)
    assert curve.removed.tolist() == list(range(units + 1))
    assert (curve.path, curve.n_examples) == (path, 200)
    assert curve.group == {layer: tuple(range(units))}


@pytest.mark.parametrize("layer", ["1", "3"])
def test_counts_of_a_linear_net_are_the_naive_ones(mlp, images, naive_counts, layer):
    order = an_order(len(mlp.get_submodule(layer).weight))
    curve = accuracy_curve(mlp, layer, order, *images)
    assert curve.correct.tolist() == naive_counts(mlp, layer, order, *images)
    assert curve.path == "linear-consumer"


ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.LeakyReLU]


@st.composite
def stacks(draw):
    """A random chain of convolutions and linear layers with BatchNorm, pools and dropout."""
    parts, channels, side = [], 1, 8
    for _ in range(draw(st.integers(0, 2))):
        units = draw(st.integers(1, 6))
        stride = draw(st.sampled_from([1, 2]))
        bias = draw(st.booleans())
        parts.append(nn.Conv2d(channels, units, 3, stride=stride, padding=1, bias=bias))
        side = (side + 1) // stride if stride == 2 else side
        channels = units
        if draw(st.booleans()):
            parts.append(nn.BatchNorm2d(units))
        parts.append(draw(st.sampled_from(ACTIVATIONS))())
        if side >= 2 and draw(st.booleans()):
            parts.append(draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))(2))
            side //= 2
    parts.append(nn.Flatten())
    features = channels * side * side
    for _ in range(draw(st.integers(0 if len(parts) > 1 else 1, 2))):
        units = draw(st.integers(1, 12))
        parts.append(nn.Linear(features, units, bias=draw(st.booleans())))
        features = units
        if draw(st.booleans()):
            parts.append(nn.BatchNorm1d(units))
        parts.append(draw(st.sampled_from(ACTIVATIONS))())
        if draw(st.booleans()):
            parts.append(nn.Dropout(0.5))
    parts.append(nn.Linear(features, 4))
    if draw(st.booleans()):
        parts.append(nn.LogSoftmax(dim=1))
    return nn.Sequential(*parts)


@given(model=stacks(), seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=40)
def test_every_level_of_a_random_net_equals_physical_removal(shake, model, seed):
    model = shake(model, seed)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(40, 1, 8, 8, generator=generator)
    targets = torch.randint(0, 4, (40,), generator=generator)
    network = trace(model)
    for layer in network.layers[:-1]:
        order = an_order(network.units(layer), seed)
        curve = accuracy_curve(network, layer, order, inputs, targets)
        assert curve.path in ("linear-consumer", "conv-consumer")
        with torch.no_grad():
            for level in range(len(order)):
                smaller = remove_units(model, layer, order[:level])
                assert curve.correct[level] == (smaller(inputs).argmax(1) == targets).sum()
            empty = masked(network, {layer: order})
            assert curve.correct[-1] == (empty(inputs).argmax(1) == targets).sum()


def test_residual_counts_equal_physical_removal_whatever_the_path(residual, images):
    inputs, targets = images[0][:60], images[1][:60] % 5
    expected = {
        "0": "prefix",
        "3.conv1": "conv-consumer",
        "3.conv2": "prefix",
        "4.conv1": "conv-consumer",
        "4.conv2": "linear-consumer",
        "4.short": "linear-consumer",
    }
    for layer, path in expected.items():
        order = an_order(len(residual.get_submodule(layer).weight))
        curve = accuracy_curve(residual, layer, order, inputs, targets)
        assert curve.path == path
        with torch.no_grad():
            for level in range(len(order)):
                smaller = remove_units(residual, layer, order[:level])
                assert curve.correct[level] == (smaller(inputs).argmax(1) == targets).sum()


def test_units_of_a_residual_stream_go_together_and_the_curve_says_so(residual, images):
    inputs, targets = images[0], images[1] % 5
    curve = accuracy_curve(residual, "3.conv2", [4, 1], inputs, targets)
    assert curve.group == {"0": (1, 4), "3.conv2": (1, 4)}
    assert curve.correct.tolist() == accuracy_curve(residual, "0", [4, 1], inputs, targets).correct.tolist()


def test_exact_ties_are_decided_as_argmax_does(images, naive_counts):
    # Without biases, an example whose units are all dead has all logits zero: argmax says class 0.
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12, bias=False), nn.ReLU(), nn.Linear(12, 10, bias=False)
    ).eval()
    inputs, targets = images[0], torch.zeros(200, dtype=torch.int64)
    order = an_order(12)
    curve = accuracy_curve(model, "1", order, inputs, targets)
    assert curve.correct.tolist() == naive_counts(model, "1", order, inputs, targets)
    assert curve.correct[-1] == 200


def test_twin_classes_tie_at_every_level(images, naive_counts, shake):
    model = shake(nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)))
    model[3].weight.data[7] = model[3].weight.data[2]
    model[3].bias.data[7] = model[3].bias.data[2] = 5
    for target in (2, 7):
        targets = torch.full((200,), target)
        order = an_order(12)
        curve = accuracy_curve(model, "1", order, images[0], targets)
        assert curve.correct.tolist() == naive_counts(model, "1", order, images[0], targets)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("seed", [0, 1])
def test_strips_of_one_class_settle_examples_without_changing_a_count(activation, seed, shake, naive_counts):
    # Three crowded classes and an empty one: enough examples for strips of their own.
    model = shake(
        nn.Sequential(nn.Linear(20, 40), activation(), nn.Linear(40, 15), nn.ReLU(), nn.Linear(15, 4))
    )
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(1500, 20, generator=generator)
    with torch.no_grad():
        targets = model(inputs).argmax(1).clamp_max(2)
    order = an_order(40, seed)
    curve = accuracy_curve(model, "0", order, inputs, targets)
    if activation is nn.ReLU:
        assert curve.correct.tolist() == naive_counts(model, "0", order, inputs, targets)
    else:
        with torch.no_grad():
            for level in range(40):
                smaller = remove_units(model, "0", order[:level])
                assert curve.correct[level] == (smaller(inputs).argmax(1) == targets).sum()


@given(st.sets(st.integers(0, 24), min_size=1), st.integers(1, 70))
@settings(deadline=None, max_examples=25)
def test_chosen_levels_and_chunks_change_no_count(levels, chunk):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 9), nn.ReLU(), nn.Linear(9, 3)
    )
    inputs, targets = torch.randn(60, 64), torch.randint(0, 3, (60,))
    order = an_order(24)
    every = accuracy_curve(model, "1", order, inputs, targets)
    some = accuracy_curve(model, "1", order, inputs, targets, levels=sorted(levels), chunk=chunk)
    assert some.removed.tolist() == sorted(levels)
    assert some.correct.tolist() == every.correct[sorted(levels)].tolist()


def test_an_order_may_name_only_some_units(mlp, images, naive_counts):
    order = np.array([3, 0, 17])
    curve = accuracy_curve(mlp, "1", order, *images)
    assert curve.correct.tolist() == naive_counts(mlp, "1", order, *images)


@pytest.mark.parametrize(("layer", "norm"), [("0", "1"), ("3", None), ("7", None)])
def test_ablation_counts_each_unit_alone(convnet, images, zeroed, layer, norm):
    found = unit_ablation(convnet, layer, *images)
    with torch.no_grad():
        assert found.baseline == (convnet(images[0]).argmax(1) == images[1]).sum()
        for unit, correct in enumerate(found.correct):
            alone = zeroed(convnet, layer, [unit], norm)
            assert correct == (alone(images[0]).argmax(1) == images[1]).sum()


def test_ablation_of_a_residual_stream_equals_removal(residual, images):
    inputs, targets = images[0][:80], images[1][:80] % 5
    found = unit_ablation(residual, "0", inputs, targets)
    assert found.path == "prefix"
    with torch.no_grad():
        for unit, correct in enumerate(found.correct):
            assert correct == (remove_units(residual, "0", [unit])(inputs).argmax(1) == targets).sum()


def test_any_mask_over_layers(convnet, images, zeroed):
    found = accuracy_of(convnet, {"0": [1, 5], "3": [0, 2, 11], "7": range(10)}, *images)
    twin = zeroed(zeroed(zeroed(convnet, "0", [1, 5], "1"), "3", [0, 2, 11]), "7", range(10))
    with torch.no_grad():
        assert found.correct == (twin(images[0]).argmax(1) == images[1]).sum()
    assert found.group == {"0": (1, 5), "3": (0, 2, 11), "7": tuple(range(10))}


def test_a_mask_of_nothing_is_the_whole_network(convnet, images):
    with torch.no_grad():
        whole = int((convnet(images[0]).argmax(1) == images[1]).sum())
    assert accuracy_of(convnet, {}, *images).correct == whole
    assert accuracy_of(convnet, {"0": []}, *images).correct == whole


def test_a_curve_over_several_layers(convnet, images, zeroed):
    order = [("3", 2), ("0", 7), ("3", 5), ("7", 1)]
    curve = global_curve(convnet, order, *images)
    twin = convnet
    with torch.no_grad():
        for level, step in enumerate([None, *order]):
            if step is not None:
                twin = zeroed(twin, step[0], [step[1]], "1" if step[0] == "0" else None)
            assert curve.correct[level] == (twin(images[0]).argmax(1) == images[1]).sum()


def test_the_model_is_left_as_it_was(convnet, images):
    convnet.train()
    before = {name: tensor.clone() for name, tensor in convnet.state_dict().items()}
    accuracy_curve(convnet, "0", an_order(8), *images)
    unit_ablation(convnet, "3", *images)
    assert all(module.training for module in convnet.modules())
    assert all(p.requires_grad for p in convnet.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in convnet.state_dict().items())


def test_an_interval_surrounds_every_accuracy(mlp, images):
    curve = accuracy_curve(mlp, "1", an_order(24), *images)
    low, high = curve.interval()
    assert ((low < curve.accuracy) & (curve.accuracy < high)).all()


def test_double_precision_works_too(mlp, images, naive_counts):
    model, inputs = mlp.double(), images[0].double()
    order = an_order(24)
    curve = accuracy_curve(model, "1", order, inputs, images[1])
    assert curve.correct.tolist() == naive_counts(model, "1", order, inputs, images[1])


def test_linear_layers_over_sequences_are_counted_too(shake):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(5, 7), nn.Linear(7, 6), nn.Linear(6, 3)

        def forward(self, x):  # (examples, 4, 5)
            return self.c(self.b(self.a(x).relu()).relu().mean(1))

    model, inputs = shake(Tokens()), torch.randn(50, 4, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(50) % 3
    order = an_order(7)
    curve = accuracy_curve(model, "a", order, inputs, targets)
    assert curve.path == "linear-consumer"
    with torch.no_grad():
        for level in range(7):
            smaller = remove_units(model, "a", order[:level], input_shape=(4, 5))
            assert curve.correct[level] == (smaller(inputs).argmax(1) == targets).sum()


def test_xords_own_network_is_counted_by_its_sums():
    from prunescope.engine.models import build_model

    model = build_model("xord-net", input_shape=(6, 2), n_classes=2, hidden=(9,)).eval()
    inputs = torch.randint(0, 2, (80, 6, 2), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    targets = torch.arange(80) % 2
    for layer in ("w", "u"):
        order = an_order(9)
        curve = accuracy_curve(model, layer, order, inputs, targets)
        with torch.no_grad():
            for level in range(9):
                smaller = remove_units(model, layer, order[:level], input_shape=(6, 2))
                assert curve.correct[level] == (smaller(inputs).argmax(1) == targets).sum()
