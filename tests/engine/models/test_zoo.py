"""Every network of the zoo: what it claims to take, to weigh and to repeat."""

import sys

import pytest
import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.data import load_for
from prunescope.engine.models import (
    MODELS,
    build_for,
    build_model,
    layer_names,
    model_size,
    model_spec,
    unit_layers,
    unit_modules,
)
from prunescope.engine.models.catalog import MODEL_PATTERNS
from torch import nn

IMAGE_SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
IMAGE_MODELS = [name for name, spec in MODELS.items() if spec.inputs != "pairs"]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def narrow(name, shape, **more):
    """The network at a width that keeps tests quick."""
    return build_model(name, input_shape=shape, n_classes=7, width=0.07, **more)


def weights(model):
    return [value.clone() for value in model.state_dict().values()]


def equal(first, second):
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("shape", IMAGE_SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", [*IMAGE_MODELS, "wrn-10-2"])
def test_every_weight_gets_a_gradient_on_every_image_size(name, shape):
    model = narrow(name, shape, init="kaiming-normal")
    outputs = model(torch.randn(6, *shape, generator=torch.Generator().manual_seed(0)))
    assert outputs.shape == (6, 7)
    nn.functional.cross_entropy(outputs, torch.arange(6)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("name", [*MODELS, "wrn-10-1", "wrn-22-2"])
def test_layers_are_known_by_name_without_making_the_net(name):
    """Recipes name layers, and are checked where no torch is."""
    if model_spec(name).inputs == "pairs":
        model, hidden = build_model(name, input_shape=(4, 2), n_classes=2), ()
    else:
        hidden = (9, 8, 7) if name == "mlp" else ()
        model = narrow(name, (3, 32, 32), hidden=hidden)
    assert layer_names(name, hidden) == tuple(unit_modules(model))
    assert layer_names("os:system") is None


@pytest.mark.parametrize("name", ["mlp", "lenet-300-100"])
def test_fully_connected_nets_take_any_shape(name):
    assert narrow(name, (5, 2))(torch.randn(3, 5, 2)).shape == (3, 7)
    assert narrow(name, (11,))(torch.randn(3, 11)).shape == (3, 7)


@pytest.mark.parametrize("name", ["conv6", "alexnet", "vgg11", "vgg19-bn", "resnet18", "wrn-16-4"])
@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_a_pool_that_would_leave_nothing_is_skipped(name, side):
    model = narrow(name, (1, side, side)).eval()
    assert model(torch.randn(2, 1, side, side)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "shape", "weights"),
    [
        # Frankle & Carbin 2018, Fig. 2; Conv-6 counted, where the paper prints 1.7 million.
        ("lenet-300-100", (1, 28, 28), 266_200),
        ("conv2", (3, 32, 32), 4_300_992),
        ("conv4", (3, 32, 32), 2_425_024),
        ("conv6", (3, 32, 32), 2_261_184),
        # By hand: 3·64·9 + 64·192·9 + 192·384·9 + 384·256·9 + 256·256·9, then 4096·1024 + 1024² + 10,240.
        ("alexnet", (3, 32, 32), 7_503_552),
        ("channels", (1, 8, 8), 120 * 9 + 120 * 9 * 10),
        ("mlp", (1, 8, 8), 64 * 512 + 512 * 10),
    ],
)
def test_weights_without_biases_are_as_many_as_published(name, shape, weights):
    model = build_model(name, input_shape=shape, n_classes=10)
    assert sum(layer.units * layer.fan_in for layer in unit_layers(model)) == weights


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("wrn-28-10", 36_479_194),  # Zagoruyko & Komodakis 2016: 36.5 million
        ("wrn-16-4", 2_748_890),  # the same table: 2.7 million
        ("resnet18", 11_173_962),
        ("resnet20", 272_474),  # He et al. 2016: 0.27 million
        ("vgg19-bn", 20_035_018),
    ],
)
def test_parameters_are_as_many_as_published(name, parameters):
    assert model_size(name, input_shape=(3, 32, 32), n_classes=10).parameters == parameters


@pytest.mark.parametrize("name", ["conv2", "vgg19-bn", "resnet20"])
def test_the_size_told_beforehand_is_the_size(name):
    told = model_size(name, input_shape=(3, 32, 32), n_classes=7, width=0.07)
    model = narrow(name, (3, 32, 32))
    assert told.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert told.snapshot_bytes == sum(value.nbytes for value in model.state_dict().values())


def test_a_network_too_large_to_build_can_still_be_sized():
    size = model_size("mlp", input_shape=(3, 512, 512), n_classes=10, hidden=(100_000, 100_000, 100_000))
    assert size.snapshot_bytes > 1e11


@pytest.mark.parametrize("name", list(MODELS))
def test_one_seed_gives_one_network_bit_for_bit(name):
    shape = (8, 2) if name == "xord-net" else (1, 8, 8)
    torch.manual_seed(1)
    first = weights(narrow(name, shape, seed=3))
    torch.manual_seed(2)
    torch.randn(5)
    assert equal(first, weights(narrow(name, shape, seed=3)))
    assert not equal(first, weights(narrow(name, shape, seed=4)))


def test_building_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    narrow("conv2", (1, 8, 8), seed=9, init="orthogonal")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_width_multiplies_every_hidden_layer_and_no_output():
    thin = unit_layers(build_model("conv4", input_shape=(1, 28, 28), n_classes=10, width=0.5))
    assert [layer.units for layer in thin] == [32, 32, 64, 64, 128, 128, 10]
    thinnest = unit_layers(build_model("conv4", input_shape=(1, 28, 28), n_classes=10, width=1 / 64))
    assert [layer.units for layer in thinnest] == [1, 1, 2, 2, 4, 4, 10]


def test_hidden_widths_can_be_chosen():
    layers = unit_layers(build_model("mlp", input_shape=(1, 8, 8), n_classes=10, hidden=(30, 20)))
    assert [(layer.name, layer.units, layer.fan_in) for layer in layers] == [
        ("fc1", 30, 64),
        ("fc2", 20, 30),
        ("fc3", 10, 20),
    ]
    small = unit_layers(build_model("channels", input_shape=(1, 8, 8), n_classes=10, hidden=(4,)))
    assert [(layer.name, layer.units, layer.fan_in) for layer in small] == [("conv1", 4, 9), ("fc1", 10, 36)]


def test_xord_net_computes_the_papers_formula():
    model = build_model("xord-net", input_shape=(5, 2), n_classes=2, hidden=(3,), seed=0)
    points = torch.randint(0, 2, (20, 5, 2), generator=torch.Generator().manual_seed(0)).float() * 2 - 1
    w, u = model.w.weight.tolist(), model.u.weight.tolist()

    def side(neurons, point):
        return sum(max(max(0.0, a * x + b * y) for x, y in point) for a, b in neurons)

    expected = [side(w, point) - side(u, point) for point in points.tolist()]
    logits = model(points)
    assert (logits[:, 1] - logits[:, 0]).tolist() == pytest.approx(expected, abs=1e-5)
    found = [(layer.name, layer.units, layer.fan_in) for layer in unit_layers(model)]
    assert found == [("w", 3, 2), ("u", 3, 2)]
    assert sum(parameter.numel() for parameter in model.parameters()) == 12


@pytest.mark.parametrize("name", [*IMAGE_MODELS, "wrn-22-2"])
def test_networks_are_sequences_whose_relus_spare_their_inputs(name):
    """Pruning walks the sequence and hooks activations; a ReLU in place would overwrite what it reads."""
    model = narrow(name, (1, 8, 8))
    assert isinstance(model, nn.Sequential)
    relus = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    assert relus
    assert not any(relu.inplace for relu in relus)


def test_a_run_gets_the_network_that_its_settings_describe():
    config = RunConfig(model="mlp", hidden=(9,), seed=4, init="glorot-normal", init_scale=0.1)
    built = build_for(config, load_for(config))
    same = build_model(
        "mlp", input_shape=(1, 8, 8), n_classes=10, hidden=(9,), seed=4, init="glorot-normal", init_scale=0.1
    )
    assert equal(weights(built), weights(same))


def test_an_unknown_model_lists_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'resnet18'") as caught:
        build_model("resnet-18", input_shape=(3, 32, 32), n_classes=10)
    assert all(name in str(caught.value) for name in MODELS)
    assert MODEL_PATTERNS in str(caught.value)


def test_a_model_that_cannot_take_the_inputs_says_so():
    with pytest.raises(ValueError, match=r"conv2 takes images .* 8×2"):
        build_model("conv2", input_shape=(8, 2), n_classes=2)


def test_every_entry_of_the_table_is_complete():
    for name, spec in MODELS.items():
        assert spec.help, name
        assert model_spec(name) is spec
        assert spec.inputs in ("any", "image", "pairs")
        model = narrow(name, (8, 2) if name == "xord-net" else (1, 8, 8))
        has_norm = any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
        assert spec.normalises == has_norm, name


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Write a module of the user's into the current folder; returns a function of its text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text):
        (tmp_path / "own_model_of_a_test.py").write_text("from torch import nn\n" + text)
        sys.modules.pop("own_model_of_a_test", None)
        return "own_model_of_a_test:Net"

    yield write
    sys.modules.pop("own_model_of_a_test", None)


def test_own_networks_are_built_seeded_and_scaled(own_module):
    name = own_module("def Net(n_classes):\n    return nn.Sequential(nn.Linear(64, n_classes))\n")
    plain, same, scaled = (
        build_model(name, input_shape=(64,), n_classes=3, seed=5, init_scale=scale) for scale in (1, 1, 0.1)
    )
    assert equal(weights(plain), weights(same))
    assert torch.allclose(scaled[0].weight, plain[0].weight * 0.1)


def test_own_networks_may_take_nothing_or_everything(own_module):
    name = own_module("def Net(**told):\n    net = nn.Linear(1, 1)\n    net.told = told\n    return net\n")
    told = build_model(name, input_shape=(1, 8, 8), n_classes=3, hidden=(4,)).told
    assert told == {"input_shape": (1, 8, 8), "n_classes": 3, "width": 1.0, "hidden": (4,)}
    name = own_module("class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(64, 3)\n")
    assert isinstance(build_model(name, input_shape=(64,), n_classes=3), nn.Linear)


def test_what_is_no_network_is_refused(own_module):
    with pytest.raises(ValueError, match="returned int: return a torch"):
        build_model(own_module("def Net():\n    return 3\n"), input_shape=(64,), n_classes=3)
