"""Which units go together, and which questions are refused."""

import operator

import pytest
import torch
import torch.nn.functional as F
from prunescope.engine.pruning import PruningError, accuracy_curve, group_of, masked, remove_units, trace
from torch import nn


class Net(nn.Module):
    """Two convolutions and a linear layer; how they are joined is the test's."""

    def __init__(self, join, channels=4, after=None):
        super().__init__()
        self.a = nn.Conv2d(1, channels, 3, padding=1)
        self.b = nn.Conv2d(channels if after is None else after, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)
        self.join = join

    def forward(self, x):
        return self.fc(self.b(self.join(self.a(x))).mean((2, 3)))


def both_ways(model, layer, units, inputs):
    with torch.no_grad():
        return masked(model, {layer: units})(inputs), remove_units(model, layer, units)(inputs)


JOINS = {
    "relu": F.relu,
    "method": lambda x: x.relu(),
    "in place": lambda x: F.relu(x, True),
    "sigmoid is not zero at zero": torch.sigmoid,
    "pool": lambda x: F.max_pool2d(x, 2),
    "spatial slice": lambda x: x[:, :, ::2, 1:],
    "spatial pad": lambda x: F.pad(x, (1, 1, 2, 0)),
    "gate of itself": lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "gate through a view": lambda x: x * torch.sigmoid(x.mean((2, 3))).view(x.size(0), -1)[:, :, None, None],
    "scaled": lambda x: 2 * x / 3 - 1,
    "iadd": lambda x: operator.iadd(x, 1),
}


@pytest.mark.parametrize("name", JOINS)
def test_channelwise_operations_hand_units_on(name, shake, images):
    model = shake(Net(JOINS[name]))
    a, b = both_ways(model, "a", [1, 3], images[0][:8])
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    with torch.no_grad():
        assert (model(images[0][:8]) - b).abs().max() > 1e-3


def test_concatenated_units_keep_their_own_place(shake, images):
    model = shake(Net(lambda x: torch.cat([x, F.relu(-x)], 1), after=8))
    a, b = both_ways(model, "a", [0, 2], images[0][:8])
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    assert trace(model).removal({"a": [2]}).inputs["b"].tolist() == [2, 6]


def test_depthwise_layers_go_with_their_units(shake, images):
    inner = nn.Conv2d(4, 8, 3, padding=1, groups=4)
    model = shake(Net(nn.Sequential(inner, nn.BatchNorm2d(8), nn.ReLU6()), after=8))
    assert group_of(model, {"a": [1]}) == {"a": (1,), "join.0": (2, 3)}
    assert group_of(model, {"join.0": [2]}) == {"a": (1,), "join.0": (2, 3)}
    for layer, units in (("a", [0, 3]), ("join.0", [5])):
        a, b = both_ways(model, layer, units, images[0][:8])
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_prelu_and_normless_batchnorm_shrink_too(shake, images):
    model = shake(Net(nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.PReLU(4))))
    a, b = both_ways(model, "a", [2], images[0][:8])
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_a_layer_called_twice_couples_what_it_reads(shake, images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(64, 5)
            self.shared = nn.Linear(5, 5)
            self.out = nn.Linear(5, 3)

        def forward(self, x):
            return self.out(self.shared(self.shared(self.a(x.flatten(1)).relu()).relu()).relu())

    model = shake(Twice())
    assert group_of(model, {"a": [1]}) == {"a": (1,), "shared": (1,)}
    a, b = both_ways(model, "a", [1, 4], images[0][:8])
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("join", "after", "said"),
    [
        (nn.GroupNorm(2, 4), None, "GroupNorm.*may mix units"),
        (nn.LayerNorm(8), None, "LayerNorm.*may mix units"),
        (lambda x: x.softmax(1), None, r"softmax\(\), which may mix units"),
        (lambda x: x.flip(1), None, r"flip\(\)"),
        (lambda x: x[:, [0, 0, 1, 2]], None, "by an index"),
        (lambda x: x.transpose(1, 2).transpose(1, 2), None, r"transpose\(\)"),
        (lambda x: x.reshape(x.size(0), 2, 2, 8, 8).flatten(1, 2), None, "reshapes them"),
        (lambda x: x + x.mean(1, keepdim=True), None, "mean runs over units"),
        (lambda x: x * torch.cat([x.mean((2, 3), keepdim=True)] * 2, 1)[:, :4], None, "by an index"),
    ],
)
def test_what_may_mix_units_is_refused_with_its_name(join, after, said, images):
    model = Net(join, after=after).eval()
    with pytest.raises(PruningError, match=rf"layer 'a': its units cannot be removed, .*{said}"):
        accuracy_curve(model, "a", [0], images[0][:8], images[1][:8] % 3)
    with pytest.raises(PruningError, match=said):
        remove_units(model, "a", [0])


def test_a_sum_with_the_networks_input_is_refused(images):
    class Plus(Net):
        def forward(self, x):
            return self.fc(self.b(self.a(x) + x).mean((2, 3)))

    with pytest.raises(PruningError, match="summed with the network's input"):
        remove_units(Plus(None), "a", [0])


def test_classes_are_not_units_to_remove(mlp):
    with pytest.raises(PruningError, match="they are the network's output"):
        remove_units(mlp, "5", [0])


@pytest.mark.parametrize(
    ("model", "layer", "said"),
    [
        (Net(nn.Conv2d(4, 4, 3, padding=1, groups=2)), "a", "in 2 groups"),
        (Net(lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)), after=6), "a", "pads by 1 and 1 channels"),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.Unflatten(1, (4, 64))),
            "0",
            "may mix units",
        ),
    ],
)
def test_what_cannot_be_cut_is_said(model, layer, said):
    with pytest.raises(PruningError, match=said):
        remove_units(model, layer, [0])


def test_grouped_convolutions_and_padded_channels_can_still_be_masked(shake, images, zeroed):
    for join, after in (
        (nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=2)), None),
        (lambda x: F.pad(x.relu(), (0, 0, 0, 0, 1, 1)), 6),
    ):
        model = shake(Net(join, after=after))
        with torch.no_grad():
            torch.testing.assert_close(
                masked(model, {"a": [1]})(images[0]), zeroed(model, "a", [1])(images[0]), atol=1e-5, rtol=0
            )


def test_a_fixed_reshape_is_named_when_deleting(images):
    class Fixed(Net):
        def forward(self, x):
            return self.fc(F.adaptive_avg_pool2d(self.b(self.a(x)), 1).view(-1, 6))

    with pytest.raises(PruningError, match=r"reshapes to 6 features: write x.flatten\(1\)"):
        remove_units(Fixed(None), "b", [0])
    assert remove_units(Fixed(None), "a", [0])(images[0]).shape == (200, 3)


def test_an_untraceable_forward_is_named():
    class Deciding(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x) if x.sum() > 0 else self.fc(-x)

    with pytest.raises(
        PruningError, match=r"forward of Deciding cannot be traced .*must not depend on values"
    ):
        trace(Deciding())


def test_a_value_overwritten_and_used_again_is_refused():
    class Quirk(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            hidden = self.a(x)
            return self.b(hidden.relu_() + hidden)

    with pytest.raises(PruningError, match="overwrites 'a' in place at 'relu_' and uses it again"):
        trace(Quirk())


def test_weights_that_are_not_finite_are_named(mlp):
    mlp[3].weight.data[2, 1] = float("nan")
    with pytest.raises(PruningError, match=r"3\.weight holds 1 values that are nan"):
        trace(mlp)


def test_a_network_traced_once_answers_again(mlp, images):
    network = trace(mlp)
    assert trace(network) is network
    assert network.layers == ("1", "3", "5")
    first = accuracy_curve(network, "1", range(24), *images)
    assert first.correct.tolist() == accuracy_curve(mlp, "1", range(24), *images).correct.tolist()
