"""Runs that start from given weights, masks or another run's state, and stay resumable to the bit."""

import numpy as np
import pytest
import torch
from prunescope.engine.models import build_model
from prunescope.engine.store import RunDamaged, StoreError
from prunescope.engine.training import train, train_run
from prunescope.engine.training.masking import layer_masks, norm_behind, parameter_masks
from prunescope.engine.training.start import Pruning, Start, read_kept, read_start, write_start


@pytest.fixture
def begin(store, small):
    """Create a run with a start, without training it."""

    def make(start, **changes):
        config = small(**changes)
        run = store.run(store.create_run(config.to_dict(), name="started"))
        write_start(run.path, start)
        return run

    return make


def half(shape, seed=0):
    return np.random.default_rng(seed).random(shape) < 0.5


MASKS = {"fc1.weight": half((16, 64)), "fc2.weight": half((10, 16), 1)}


def test_a_start_comes_back_as_it_was_written(tmp_path):
    start = Start(
        weights={"a": np.arange(3.0, dtype=np.float32), "n": np.array(3)}, masks={"a": np.array([True, False, True])},
        state=b"\x00state", step=7, keep=(1, 5), facts={"arm": "ticket"},
        prunings=(Pruning(step=4, removed={"fc1": 3}, structure="units", select="smallest", seed=2),),
    )  # fmt: skip
    write_start(tmp_path, start)
    found = read_start(tmp_path)
    assert (found.state, found.step, found.keep, found.facts) == (b"\x00state", 7, (1, 5), {"arm": "ticket"})
    assert found.prunings == start.prunings
    assert found.masks["a"].dtype == bool
    for name in start.weights:
        np.testing.assert_array_equal(found.weights[name], start.weights[name])


def test_an_altered_start_is_refused(tmp_path):
    write_start(tmp_path, Start(masks=MASKS))
    path = tmp_path / "start.data"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunDamaged):
        read_start(tmp_path)


def test_a_run_without_a_start_begins_at_its_initialisation(tmp_path):
    assert read_start(tmp_path) is None


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_removed_weights_are_zero_at_every_epoch_under_every_optimiser(store, begin, optimizer):
    run = train_run(store, begin(Start(masks=MASKS), optimizer=optimizer, weight_decay=0.1).id)
    for epoch in run.epochs:
        for name, mask in MASKS.items():
            assert (run.arrays(epoch)[name][~mask] == 0).all()
    moved = run.arrays(3.0)["fc1.weight"] != run.arrays(0.0)["fc1.weight"]
    assert moved[MASKS["fc1.weight"]].any()


def test_what_is_kept_starts_at_the_bits_of_the_initialisation(store, small, begin):
    dense = train(small(), store)
    run = train_run(store, begin(Start(masks=MASKS)).id)
    for name, array in dense.arrays(0.0).items():
        np.testing.assert_array_equal(run.arrays(0.0)[name], array * MASKS.get(name, True))


def test_a_masked_run_stopped_and_resumed_ends_in_the_same_bits(store, begin, assert_same_run):
    """The mask comes from the run's own folder, whoever resumes it."""

    def stop(epoch, metrics):
        if epoch == 1:
            stopped.request("stop")

    straight = train_run(store, begin(Start(masks=MASKS)).id)
    stopped = begin(Start(masks=MASKS))
    assert train_run(store, stopped.id, on_epoch=stop).status == "stopped"
    assert_same_run(train_run(store, stopped.id), straight)


def keeping(store, small, steps):
    run = store.run(store.create_run(small().to_dict(), name="dense"))
    write_start(run.path, Start(keep=steps))
    return train_run(store, run.id)


# Five steps an epoch: at the initialisation, inside an epoch, between two.
@pytest.mark.parametrize("step", [0, 3, 5, 7])
def test_from_a_kept_state_training_goes_on_as_if_it_had_never_stopped(store, small, begin, step):
    """Optimiser, learning rate, data order and random numbers are rewound with the weights."""
    dense = keeping(store, small, (step,))
    again = train_run(store, begin(Start(state=read_kept(dense.path, step), step=step)).id)
    assert again.epochs[0] == step / 5
    for epoch in again.epochs[1:]:
        for name, array in dense.arrays(epoch).items():
            np.testing.assert_array_equal(again.arrays(epoch)[name], array)


def test_a_state_that_was_not_kept_is_named_with_those_there_are(store, small):
    with pytest.raises(StoreError, match=r"step 4; there are \[3\]"):
        read_kept(keeping(store, small, (3,)).path, 4)


def test_pruning_during_training_removes_the_asked_number_at_the_asked_epochs(store, begin, assert_same_run):
    prunings = tuple(
        Pruning(step=5 * epoch, removed={"fc1": count}, structure="units", select="smallest")
        for epoch, count in ((1, 3), (2, 7))
    )
    run = train_run(store, begin(Start(prunings=prunings)).id)
    gone = [int((run.arrays(epoch)["fc1.weight"] == 0).all(axis=1).sum()) for epoch in run.epochs]
    assert gone == [0, 0, 3, 7]
    assert (run.arrays(3.0)["fc1.bias"] == 0).sum() >= 7

    def stop(epoch, metrics):
        if epoch == 2:
            stopped.request("stop")

    stopped = begin(Start(prunings=prunings))
    train_run(store, stopped.id, on_epoch=stop)
    assert_same_run(train_run(store, stopped.id), run)


def test_a_mask_that_does_not_fit_is_named_with_both_shapes(store, begin):
    with pytest.raises(ValueError, match=r"mask fc9.weight: shape \(2, 2\), and the network has none"):
        train_run(store, begin(Start(masks={"fc9.weight": np.ones((2, 2), bool)})).id)
    with pytest.raises(ValueError, match=r"start weights fc1.weight: shape \(3,\)"):
        train_run(store, begin(Start(weights={"fc1.weight": np.ones(3, np.float32)})).id)


@pytest.mark.parametrize("name", ["vgg19-bn", "resnet20", "wrn-10-1", "conv4"])
def test_a_masked_unit_gives_the_next_layer_nothing(name):
    """Weights, bias and the BatchNorm behind: the unit's channel is zero for every input, in training too."""
    model = build_model(name, input_shape=(1, 8, 8), n_classes=3, width=0.125)
    layer = {"vgg19-bn": "conv3", "resnet20": "stage2_block1.conv1", "wrn-10-1": "stage1_block1.conv1"}.get(
        name, "conv2"
    )
    units = dict(model.named_modules())[layer].weight.shape[0]
    mask = np.arange(units) != 1
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(0.1)  # so that no bias or shift is zero by chance
        for target, kept in parameter_masks(model, {layer: mask}, "units").items():
            parameters[target].mul_(torch.from_numpy(kept))
    read = norm_behind(model).get(layer, layer)
    seen = []
    model.get_submodule(read).register_forward_hook(lambda module, args, output: seen.append(output))
    for mode in (True, False):
        model.train(mode)(torch.randn(4, 1, 8, 8))
    assert all((output[:, 1] == 0).all() for output in seen)
    assert all((output[:, 0] != 0).any() for output in seen)


def test_masks_of_units_become_masks_of_parameters_and_back():
    model = build_model("mlp", input_shape=(4,), n_classes=2, hidden=(3,))
    wide = parameter_masks(model, {"fc1": np.array([True, False, True])}, "units")
    assert wide["fc1.weight"].tolist() == [[True] * 4, [False] * 4, [True] * 4]
    assert wide["fc1.bias"].tolist() == [True, False, True]
    assert layer_masks(model, wide, "units")["fc1"].tolist() == [True, False, True]
    assert layer_masks(model, wide, "units")["fc2"].all()
