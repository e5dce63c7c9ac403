"""Units are found in any network, and their weights become rows."""

import numpy as np
import pytest
import torch
from prunescope.engine.models import build_model, state_arrays, unit_layers, unit_modules, weight_vectors
from prunescope.engine.store import LayerInfo
from torch import nn
from torch.nn.utils import parametrizations, prune


def rows_of(model, name):
    """The weight vectors of one layer."""
    (layer,) = unit_layers(model, (name,))
    return weight_vectors(model, [layer])[name]


def test_layers_are_listed_in_order_with_their_shapes():
    model = build_model("channels", input_shape=(3, 8, 8), n_classes=10, hidden=(5,))
    conv, fc = unit_layers(model)
    assert conv == LayerInfo(name="conv1", kind="conv", units=5, fan_in=27, shape=(5, 3, 3, 3))
    assert fc == LayerInfo(name="fc1", kind="linear", units=10, fan_in=45, shape=(10, 45))


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("*",), ["conv1", "conv2", "fc1", "fc2", "fc3"]),
        (("conv*",), ["conv1", "conv2"]),
        (("fc1", "conv2"), ["conv2", "fc1"]),
        (("fc[12]", "fc1"), ["fc1", "fc2"]),
    ],
)
def test_patterns_choose_layers_and_never_twice(globs, names):
    model = build_model("conv2", input_shape=(1, 8, 8), n_classes=10, width=0.05)
    assert [layer.name for layer in unit_layers(model, globs)] == names


def test_a_pattern_that_matches_nothing_lists_the_layers():
    model = build_model("lenet-300-100", input_shape=(1, 8, 8), n_classes=10)
    with pytest.raises(ValueError, match=r"\['conv1'\] match no layer.*fc1, fc2, fc3"):
        unit_layers(model, ("conv1",))
    with pytest.raises(ValueError, match="no convolution and no linear layer"):
        unit_layers(nn.ReLU())


def test_a_row_is_one_filter_flattened():
    model = build_model("channels", input_shape=(3, 8, 8), n_classes=10, hidden=(5,))
    rows = rows_of(model, "conv1")
    assert rows.shape == (5, 27)
    assert np.array_equal(rows[2], model.conv1.weight[2].detach().numpy().ravel())


def test_convolutions_of_every_dimension_and_groups_have_units():
    model = nn.Sequential(nn.Conv1d(4, 6, 3, groups=2), nn.Conv3d(1, 2, 3), nn.ConvTranspose2d(2, 3, 3))
    found = [(layer.name, layer.units, layer.fan_in) for layer in unit_layers(model)]
    assert found == [("0", 6, 6), ("1", 2, 27)]


def test_a_module_used_twice_is_one_layer():
    shared = nn.Linear(4, 4)
    model = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)})
    assert list(unit_modules(model)) == ["a"]


def test_two_modules_that_share_a_weight_are_one_layer():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert list(unit_modules(model)) == ["0"]
    assert {"0.weight", "1.weight", "1.bias"} <= set(state_arrays(model))


def test_layers_inside_any_module_are_found():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.heads = nn.ModuleList([nn.Linear(8, 2)])

    names = [layer.name for layer in unit_layers(Net())]
    assert names == ["encoder.self_attn.out_proj", "encoder.linear1", "encoder.linear2", "heads.0"]


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrised_layer_shows_the_weight_it_computes_with(wrap):
    torch.manual_seed(0)
    model = nn.Sequential(wrap(nn.Linear(4, 3)), nn.Linear(3, 2)).eval()
    inputs = torch.randn(5, 4)
    expected = model[0](inputs).detach().numpy() - model[0].bias.detach().numpy()
    rows = rows_of(model, "0")
    assert inputs.numpy() @ rows.T == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(state_arrays(model)["0.weight"], rows)


def test_a_pruned_layer_shows_its_zeros():
    model = nn.Sequential(nn.Linear(4, 3))
    prune.ln_structured(model[0], "weight", amount=1, n=2, dim=0)
    rows = rows_of(model, "0")
    assert (np.linalg.norm(rows, axis=1) == 0).sum() == 1
    assert np.array_equal(state_arrays(model)["0.weight"], rows)


def test_a_pruned_layer_shows_the_weight_of_now_and_not_of_the_last_forward_pass():
    model = nn.Sequential(nn.Linear(4, 3))
    prune.ln_structured(model[0], "weight", amount=1, n=2, dim=0)
    before = rows_of(model, "0")
    with torch.no_grad():
        model[0].weight_orig.mul_(2)
    assert np.array_equal(rows_of(model, "0"), 2 * before)


def test_a_lazy_layer_asks_for_a_batch_first():
    model = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match="Pass one batch through the network first"):
        unit_layers(model)
    model(torch.randn(2, 5))
    assert unit_layers(model)[0].fan_in == 5


def test_a_bare_layer_is_a_network_of_one_unnamed_layer():
    (layer,) = unit_layers(nn.Linear(4, 3))
    assert layer.name == ""
    assert layer.weight_name in state_arrays(nn.Linear(4, 3))


def test_the_state_is_every_tensor_of_the_state_dict():
    model = build_model("resnet20", input_shape=(1, 8, 8), n_classes=10, width=0.25)
    arrays = state_arrays(model)
    assert set(arrays) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert arrays[name].dtype == value.numpy().dtype
        assert np.array_equal(arrays[name], value.numpy())
    assert arrays["bn1.num_batches_tracked"].shape == ()


def test_the_state_is_a_copy_that_training_does_not_change():
    model = nn.Sequential(nn.Linear(4, 3))
    arrays, rows = state_arrays(model), rows_of(model, "0")
    before = rows.copy()
    with torch.no_grad():
        model[0].weight.add_(1)
    assert np.array_equal(arrays["0.weight"], before)
    assert np.array_equal(rows, before)


def test_half_precision_becomes_what_numpy_can_hold():
    model = nn.Sequential(nn.Linear(4, 3).to(torch.bfloat16), nn.Linear(3, 2).half())
    arrays = state_arrays(model)
    assert arrays["0.weight"].dtype == np.float32
    assert arrays["1.weight"].dtype == np.float16
    assert all(rows.dtype == np.float32 for rows in weight_vectors(model, unit_layers(model)).values())


def test_weights_in_channels_last_memory_are_read_in_their_own_order():
    conv = nn.Conv2d(3, 5, 3)
    expected = conv.weight.detach().numpy().reshape(5, 27).copy()
    model = nn.Sequential(conv).to(memory_format=torch.channels_last)
    assert np.array_equal(rows_of(model, "0"), expected)


def test_taking_the_state_leaves_a_spectral_norm_as_it_is():
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(40, 30)))
    nn.init.normal_(model[0].parametrizations.weight.original)  # So that its iteration has somewhere to go.
    before = {name: value.clone() for name, value in model.state_dict().items()}
    unit_layers(model)
    state_arrays(model)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
