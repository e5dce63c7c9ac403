"""Masking ≡ physical removal: check 12 of the specification, for every architecture named there.

Some layers of each; EVERY_LAYER=1 takes all of them, in some minutes.
"""

import copy
import os
import warnings

import numpy as np
import pytest
import torch
from prunescope.engine.data._torchvision import import_torchvision
from prunescope.engine.models import MODELS, build_model
from prunescope.engine.models.plain import XordNet
from prunescope.engine.pruning import group_of, mask_units, masked, remove, remove_units, trace
from torch import nn

EVERY_LAYER = bool(os.environ.get("EVERY_LAYER"))


def some_units(network, layer, share=0.4):
    count = network.units(layer)
    return np.random.default_rng(count).choice(count, max(1, int(count * share)), replace=False)


def with_small_logits(model, inputs):
    """The same network with its readout scaled to logits below one, where 1e-5 means five digits."""
    with torch.no_grad():
        scale = model(inputs).abs().max().clamp_min(1)
        last = [m for m in model.modules() if isinstance(m, nn.Linear)]
        for module in last if isinstance(model, XordNet) else last[-1:]:
            for parameter in module.parameters():
                parameter /= scale
    return model


def differences(model, layers, inputs, input_shape=None):
    """Per layer: max |Δlogit| between masked and deleted, and between the whole network and deleted."""
    network, found = trace(model, inputs.ndim), {}
    with torch.no_grad():
        whole = model(inputs)
        for layer in layers:
            units = some_units(network, layer)
            if network.units(layer) == len(units):
                continue
            deleted = remove_units(model, layer, units, input_shape=input_shape)(inputs)
            by_graph = masked(network, {layer: units})(inputs)
            found[layer] = (float((by_graph - deleted).abs().max()), float((whole - deleted).abs().max()))
            if input_shape is None:
                with mask_units(model, layer, units):
                    by_hook = model(inputs)
                assert (by_hook - deleted).abs().max() <= 1e-5
    return found


def test_a_removed_unit_is_gone_from_every_tensor(convnet):
    smaller = remove_units(convnet, "0", [0, 3, 5])
    kept = [1, 2, 4, 6, 7]
    state, old = smaller.state_dict(), convnet.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        assert torch.equal(state[name], old[name][kept])
    assert torch.equal(state["3.weight"], old["3.weight"][:, kept])
    assert torch.equal(state["3.bias"], old["3.bias"])
    assert (smaller[0].out_channels, smaller[1].num_features, smaller[3].in_channels) == (5, 5, 5)
    assert convnet[0].out_channels == 8


def test_a_flattened_map_loses_a_run_of_features(convnet):
    smaller = remove_units(convnet, "3", [1])
    kept = [i for i in range(192) if i // 16 != 1]
    assert torch.equal(smaller[7].weight, convnet[7].weight[:, kept])
    assert smaller[7].in_features == 176


def test_mode_and_gradients_are_kept(convnet):
    convnet.train()
    convnet[0].weight.requires_grad_(False)
    smaller = remove_units(convnet, "0", [1])
    assert all(module.training for module in smaller.modules())
    assert not smaller[0].weight.requires_grad
    assert smaller[3].weight.requires_grad
    smaller(torch.randn(4, 1, 8, 8)).sum().backward()


def test_masking_with_bias_and_norm_equals_removal_and_masking_weights_alone_does_not(convnet, images):
    units = [0, 2, 7]
    with torch.no_grad():
        deleted = remove_units(convnet, "0", units)(images[0])
        weights_only = copy.deepcopy(convnet)
        weights_only[0].weight[units] = 0
        assert (masked(convnet, {"0": units})(images[0]) - deleted).abs().max() <= 1e-5
        assert (weights_only(images[0]) - deleted).abs().max() > 1e-3


def test_several_layers_at_once(convnet, images):
    removed = {"0": [1, 4], "3": [0, 11], "7": [3, 19, 7]}
    with torch.no_grad():
        a, b = masked(convnet, removed)(images[0]), remove(convnet, removed)(images[0])
    assert (a - b).abs().max() <= 1e-5


def test_residual_layers(residual, images):
    found = differences(residual, trace(residual).layers[:-1], images[0])
    assert len(found) == 6
    assert max(mask for mask, _ in found.values()) <= 1e-5
    assert min(change for _, change in found.values()) > 1e-3


@pytest.mark.parametrize("name", [name for name in MODELS if name != "wrn-28-10"])
def test_every_model_of_the_zoo(name, shake):
    spec = MODELS[name]
    shape = (6, 2) if spec.inputs == "pairs" else (1, 12, 12) if spec.inputs == "any" else (3, 16, 16)
    width = 1.0 if name in ("xord-net", "channels") else 0.25
    model = shake(build_model(name, input_shape=shape, n_classes=5, width=width), gain=1.2)
    inputs = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0))
    network = trace(model, inputs.ndim)
    layers = list(network.layers) if name == "xord-net" else list(network.layers)[:-1]
    some = layers if EVERY_LAYER else [*layers[:3], *layers[3 :: max(1, len(layers) // 4)]]
    with_small_logits(model, inputs)
    found = differences(model, some, inputs, shape if name == "xord-net" else None)
    assert len(found) == len(set(some))
    assert max(mask for mask, _ in found.values()) <= 1e-5
    assert max(change for _, change in found.values()) > 1e-3


def vision_model(name):
    vision = import_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(vision.models, name)(weights=None, num_classes=10)
    if name == "vgg11_bn":  # its head of 124 million weights would only cost memory: the same shape, narrower
        model.classifier = nn.Sequential(
            nn.Linear(512 * 49, 24),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(24, 24),
            nn.ReLU(True),
            nn.Linear(24, 10),
        )
    return model


LAYERS = {
    "resnet18": ["conv1", "layer1.0.conv1", "layer2.0.downsample.0", "layer4.1.conv2"],
    "vgg11_bn": ["features.0", "features.8", "features.25", "classifier.0", "classifier.3"],
    "mobilenet_v2": ["features.0.0", "features.1.conv.0.0", "features.3.conv.2", "features.18.0"],
    "densenet121": [
        "features.conv0",
        "features.denseblock1.denselayer1.conv1",
        "features.denseblock1.denselayer2.conv2",
        "features.transition1.conv",
        "features.denseblock4.denselayer16.conv2",
    ],
}


@pytest.mark.parametrize("name", LAYERS)
def test_networks_of_torchvision(name, shake):
    model = shake(vision_model(name))
    inputs = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    # The last layer's units are the classes.
    layers = list(trace(model).layers)[:-1] if EVERY_LAYER else LAYERS[name]
    found = differences(with_small_logits(model, inputs), layers, inputs)
    assert len(found) == len(layers)
    assert max(mask for mask, _ in found.values()) <= 1e-5
    assert min(change for _, change in found.values()) > 1e-3


def test_the_residual_stream_of_resnet18_goes_together():
    group = group_of(vision_model("resnet18"), {"layer1.0.conv2": [5]})
    assert group == {"conv1": (5,), "layer1.0.conv2": (5,), "layer1.1.conv2": (5,)}


def test_densenet_units_are_read_by_all_later_layers_at_their_own_place():
    network = trace(vision_model("densenet121"))
    inputs = network.removal({"features.denseblock1.denselayer1.conv2": [3]}).inputs
    # Behind 64 channels of the stem; read by the five later layers of the block and the transition.
    assert {name.rpartition(".")[0].rpartition(".")[2]: at.tolist() for name, at in inputs.items()} == {
        **{f"denselayer{i}": [67] for i in range(2, 7)},
        "transition1": [67],
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet18", "layer1.0.conv2"), ("mobilenet_v2", "features.2.conv.0.0"), ("vgg11_bn", "features.25")],
)
def test_torch_pruning_removes_the_same(name, layer, shake):
    tp = pytest.importorskip("torch_pruning")
    model = shake(vision_model(name))
    inputs = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    units = [0, 3, 6]
    ours = remove_units(model, layer, units)
    theirs = copy.deepcopy(model)
    graph = tp.DependencyGraph().build_dependency(theirs, example_inputs=inputs)
    graph.get_pruning_group(theirs.get_submodule(layer), tp.prune_conv_out_channels, idxs=units).prune()
    a, b = ours.state_dict(), theirs.state_dict()
    assert {n: t.shape for n, t in a.items()} == {n: t.shape for n, t in b.items()}
    assert all(torch.equal(t, b[n]) for n, t in a.items())
