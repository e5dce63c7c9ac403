import pytest
import torch
from prunescope.engine.models import build_model
from prunescope.engine.pruning import PruningError, measure_size, summary
from torch import nn


def test_lenet_300_100_has_the_papers_numbers():
    size = measure_size(build_model("lenet-300-100", input_shape=(1, 28, 28), n_classes=10), (1, 28, 28))
    # 266,200 weights (Frankle & Carbin 2018) and 410 biases; each weight is one multiply-add.
    assert (size.parameters, size.macs, size.units, size.latency) == (266_610, 266_200, 410, None)


def test_convolutions_multiply_at_every_position():
    # 5 filters of 3×3×2 at 4×4 positions, then 80 → 3.
    model = nn.Sequential(nn.Conv2d(2, 5, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(80, 3))
    assert measure_size(model, (2, 8, 8)).macs == 5 * 18 * 16 + 240


def test_li_2016_each_filter_saves_its_own_and_the_next_layers_work():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1), nn.Flatten()
    )
    model.append(nn.Linear(4 * 36, 2))
    sizes = summary(model, {"0": [0, 1]}, (3, 6, 6))
    saved = 2 * (3 * 9 * 36 + 4 * 9 * 36)
    assert sizes.before.macs - sizes.after.macs == saved
    assert sizes.before.units - sizes.after.units == 2
    assert sizes.sparsity == pytest.approx(2 / 14)
    assert sizes.speed_up == pytest.approx(sizes.before.macs / sizes.after.macs)
    assert sizes.compression > 1
    assert sizes.group == {"0": (0, 1)}


def test_coupled_layers_are_counted(residual):
    sizes = summary(residual, {"0": [0]}, (1, 8, 8))
    assert sizes.group == {"0": (0,), "3.conv2": (0,)}
    assert sizes.before.units - sizes.after.units == 2


def test_latency_is_measured_when_asked_for(mlp):
    sizes = summary(mlp, {"1": [0]}, (64,), latency_runs=3)
    assert sizes.before.latency > 0
    assert sizes.after.latency > 0


def test_measuring_leaves_mode_and_hooks_alone(convnet):
    convnet.train()
    convnet[1].eval()
    statistics = convnet[1].running_mean.clone()
    measure_size(convnet, (1, 8, 8))
    assert [module.training for module in convnet[:3]] == [True, False, True]
    assert torch.equal(convnet[1].running_mean, statistics)
    assert not convnet[0]._forward_hooks


def test_a_shape_that_does_not_fit_is_named(convnet):
    with pytest.raises(PruningError, match=r"input_shape \(3, 8, 8\) does not fit"):
        measure_size(convnet, (3, 8, 8))


@pytest.mark.filterwarnings("ignore")
def test_torch_pruning_counts_the_same():
    tp = pytest.importorskip("torch_pruning")
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.Conv2d(8, 4, 3, bias=False), nn.Flatten()
    ).append(nn.Linear(4 * 25, 10, bias=False))
    macs, parameters = tp.utils.count_ops_and_params(model, torch.zeros(1, 3, 15, 15))
    size = measure_size(model, (3, 15, 15))
    assert (size.macs, size.parameters) == (macs, parameters)
