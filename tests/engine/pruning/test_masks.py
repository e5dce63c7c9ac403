import json

import pytest
import torch
from prunescope.engine.pruning import (
    PruningError,
    mask_json,
    mask_state_dict,
    mask_units,
    masked,
    remove_units,
    save_mask,
)
from torch import nn
from torch.nn.utils import prune


def load(model, state):
    """As torch's own documentation does it: declare what is pruned, then load."""
    for name in state:
        if name.endswith("_mask"):
            module, _, tensor = name.removesuffix("_mask").rpartition(".")
            prune.identity(model.get_submodule(module), tensor)
    model.load_state_dict(state)
    return model.eval()


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Sigmoid])
def test_the_state_dict_form_loads_and_computes_as_removal_does(activation, shake, images):
    def fresh():
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), activation(), nn.Flatten(), nn.Linear(384, 4)
        )

    model = shake(fresh())
    state = mask_state_dict(model, {"0": [1, 4]})
    assert {name for name in state if name.endswith("_mask")} == {
        "0.weight_mask", "0.bias_mask", "1.weight_mask", "1.bias_mask", "4.weight_mask",
    }  # fmt: skip
    assert torch.equal(state["0.weight_orig"], model[0].weight)
    assert state["0.weight_mask"].flatten(1).any(1).tolist() == [True, False, True, True, False, True]
    loaded = load(fresh(), state)
    with torch.no_grad():
        assert (loaded(images[0]) - remove_units(model, "0", [1, 4])(images[0])).abs().max() <= 1e-5


def test_json_names_asked_removed_and_kept_units(residual):
    found = mask_json(residual, {"3.conv2": [5, 2]})
    assert found["asked"] == {"3.conv2": [2, 5]}
    assert found["layers"] == {
        "0": {"units": 6, "removed": [2, 5], "kept": [0, 1, 3, 4]},
        "3.conv2": {"units": 6, "removed": [2, 5], "kept": [0, 1, 3, 4]},
    }
    assert "shrinks nothing" in found["note"]


def test_files_are_written_in_both_forms(mlp, tmp_path):
    removed = {"1": [0, 9]}
    text = save_mask(mlp, removed, tmp_path / "mask.json").read_text()
    assert json.loads(text) == mask_json(mlp, removed)
    state = torch.load(save_mask(mlp, removed, tmp_path / "mask.pt"), weights_only=True)
    assert set(state) == set(mask_state_dict(mlp, removed))
    with pytest.raises(PruningError, match=r"'mask.npz': end it in .json"):
        save_mask(mlp, removed, tmp_path / "mask.npz")


def test_a_mask_keeps_the_size():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert mask_state_dict(model, {"0": [0]})["0.weight_orig"].shape == (3, 4)


def test_hooks_are_gone_after_the_block(mlp, images):
    with torch.no_grad():
        before = mlp(images[0])
        with mask_units(mlp, {"1": [0, 1], "3": [2]}) as group:
            assert group == {"1": (0, 1), "3": (2,)}
            assert not torch.equal(mlp(images[0]), before)
        assert torch.equal(mlp(images[0]), before)
        with pytest.raises(ZeroDivisionError), mask_units(mlp, "1", [0]):
            _ = 1 / 0
        assert torch.equal(mlp(images[0]), before)


def test_masked_networks_are_copies(mlp, images):
    copy = masked(mlp, {"1": [3]})
    with torch.no_grad():
        before = copy(images[0])
        mlp[1].weight.zero_()
        assert torch.equal(copy(images[0]), before)
    assert copy.group == {"1": (3,)}


def test_where_no_hook_and_no_weight_stands_it_is_said():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 4)

        def forward(self, x):
            score = self.a(x).relu().sum(1)
            return torch.stack([score, -score], 1)

    model, inputs = Sum(), torch.randn(5, 3)
    with pytest.raises(PruningError, match=r"use masked\(\)"), mask_units(model, "a", [0], input_shape=(3,)):
        pass
    with pytest.raises(PruningError, match="no weight stands there"):
        mask_state_dict(model, {"a": [0]}, input_shape=(3,))
    with torch.no_grad():
        a = masked(model, {"a": [0]}, input_shape=(3,))(inputs)
        b = remove_units(model, "a", [0], input_shape=(3,))(inputs)
    assert (a - b).abs().max() <= 1e-6
