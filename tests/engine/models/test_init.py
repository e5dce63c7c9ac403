"""Initial weights follow their scheme and scale."""

import math

import pytest
import torch
from prunescope.engine.models import build_model
from prunescope.engine.models.init import SCHEMES


def mlp(**more):
    """One hidden layer of 400 on 100 inputs: fan in 100, fan out 400."""
    return build_model("mlp", input_shape=(100,), n_classes=10, hidden=(400,), **more)


@pytest.mark.parametrize(
    ("scheme", "deviation"),
    [
        ("glorot-normal", math.sqrt(2 / 500)),
        ("glorot-uniform", math.sqrt(2 / 500)),
        ("kaiming-normal", math.sqrt(2 / 100)),
        ("kaiming-uniform", math.sqrt(2 / 100)),
        ("normal", 1.0),
        # The framework's own is uniform on ±1/√fan_in.
        ("default", 1 / math.sqrt(300)),
    ],
)
def test_a_scheme_has_its_standard_deviation(scheme, deviation):
    weight = mlp(init=scheme).fc1.weight
    # 40,000 draws: the sample's deviation is within 2% many sigmas over.
    assert weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(weight.mean().item()) < 0.03 * deviation


@pytest.mark.parametrize("scheme", ["glorot-uniform", "kaiming-uniform"])
def test_a_uniform_scheme_is_bounded_by_root_three_deviations(scheme):
    weight = mlp(init=scheme).fc1.weight
    assert weight.abs().max() <= math.sqrt(3) * weight.std() * 1.02


def test_orthogonal_columns_are_orthonormal():
    weight = mlp(init="orthogonal").fc1.weight
    assert torch.allclose(weight.T @ weight, torch.eye(100), atol=1e-4)


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_every_scheme_but_the_default_starts_with_zero_biases(scheme):
    assert mlp(init=scheme).fc1.bias.eq(0).all()


def test_the_default_keeps_the_frameworks_biases():
    assert mlp().fc1.bias.abs().max() > 0


@pytest.mark.parametrize("scheme", ["default", *SCHEMES])
def test_the_scale_multiplies_weights_and_biases_and_turns_nothing(scheme):
    plain, small = mlp(init=scheme, seed=2), mlp(init=scheme, seed=2, init_scale=0.25)
    # A quarter is exact in binary.
    assert torch.equal(small.fc1.weight, plain.fc1.weight * 0.25)
    assert torch.equal(small.fc2.bias, plain.fc2.bias * 0.25)


def test_batchnorm_is_not_scaled():
    model = build_model("resnet20", input_shape=(1, 8, 8), n_classes=10, width=0.25, init_scale=0.1)
    assert model.bn1.weight.eq(1).all()
    assert model.bn1.running_var.eq(1).all()


def test_an_unknown_scheme_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"init: 'xavier' is unknown.*glorot-normal"):
        mlp(init="xavier")
