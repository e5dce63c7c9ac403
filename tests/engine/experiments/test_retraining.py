"""Schedules, iterative pruning, Li, Han, from scratch; second trainings from parts of a first."""

import numpy as np
import pytest
from prunescope.engine.config import RunConfig
from prunescope.engine.experiments.live import live_layers, macs
from prunescope.engine.experiments.starts import scratch_weights
from prunescope.engine.experiments.summary import masks_of
from prunescope.engine.experiments.treatment import one_per_cluster, scene_of
from prunescope.engine.models import build_model


def test_copies_are_pruned_at_the_chosen_times_and_trained_on(compute, run_of):
    summary = compute("schedule", {"times": [-1, 0, 0.4, 1], "ratio": 0.5})
    dense = run_of(summary, "s0-dense")
    assert [line.key for line in summary.lines] == ["s0-dense", "s0-at-0", "s0-at-0.4", "s0-at-1"]
    for key, time in (("s0-at-0", 0.0), ("s0-at-1", 1.0)):
        copy = run_of(summary, key)
        assert copy.epochs[0] == time
        assert copy.epochs[-1] == 2.0
        masks = masks_of(copy)
        assert (masks["fc1.bias"].sum(), masks["fc2.bias"].sum()) == (6, 4)
        for name, array in dense.arrays(time).items():
            np.testing.assert_array_equal(copy.arrays(time)[name], array * masks.get(name, 1))
    assert run_of(summary, "s0-at-0.4").epochs[0] == 0.4


def test_a_copy_loses_the_units_that_are_smallest_at_its_time(compute, run_of):
    summary = compute("schedule", {"times": [1], "ratio": 0.5})
    weights = run_of(summary, "s0-dense").arrays(1.0)["fc1.weight"]
    norms = np.linalg.norm(weights, axis=1)
    kept = masks_of(run_of(summary, "s0-at-1"))["fc1.bias"]
    assert norms[kept].min() >= norms[~kept].max()


def test_iterative_pruning_takes_equal_parts_at_start_and_every_interval_to_the_end(compute, run_of):
    """k = 1 + (5 − 1) // 2 = 3 times: 12 units lose 2, 4, 6 in all; 8 lose 1, 3, 4."""
    plan = {"start": 1, "end": 5, "interval": 2, "ratios": [0.5]}
    summary = compute("iterative", plan, run={"epochs": 7})
    run = run_of(summary, "s0-ratio-0")
    gone = {
        layer: [int((run.weights(layer, epoch) == 0).all(axis=1).sum()) for epoch in run.epochs]
        for layer in ("fc1", "fc2")
    }
    assert gone == {"fc1": [0, 0, 2, 2, 4, 4, 6, 6], "fc2": [0, 0, 1, 1, 3, 3, 4, 4]}
    (line,) = [line for line in summary.lines if line.arm == "iterative"]
    assert line.result["kept"]["fc1"] == [6, 12]


def test_li_prunes_once_and_trains_on_and_the_first_snapshot_is_the_pruned_net(compute, run_of):
    plan = {"ratios": [0.5], "each_layer": ["fc1", "fc2"], "retrain": {"epochs": 1}}
    summary = compute("retrain", plan)
    assert [(line.arm, line.label) for line in summary.lines[1:4]] == [
        ("smallest", "fc1 0.5"), ("largest", "fc1 0.5"), ("random", "fc1 0.5"),
    ]  # fmt: skip
    final = run_of(summary, "s0-dense").arrays(2.0)["fc1.weight"]
    sums = np.abs(final).sum(axis=1)
    for key, extreme in (("s0-li-001", lambda kept: sums[~kept].max() <= sums[kept].min()),
                         ("s0-li-002", lambda kept: sums[~kept].min() >= sums[kept].max())):  # fmt: skip
        run = run_of(summary, key)
        kept = masks_of(run)["fc1.bias"]
        assert extreme(kept)
        assert "fc2.bias" not in masks_of(run)
        np.testing.assert_array_equal(run.arrays(0.0)["fc1.weight"], final * kept[:, None])
        assert run.epochs[-1] == 1.0


def test_han_keeps_the_weights_above_quality_times_the_standard_deviation(compute, run_of):
    plan = {"protocol": "han", "qualities": [1.0], "output_factor": 1.0}
    summary = compute("retrain", plan)
    final = run_of(summary, "s0-dense").arrays(2.0)
    masks = masks_of(run_of(summary, "s0-han-001"))
    for name in ("fc1.weight", "fc2.weight", "fc3.weight"):
        np.testing.assert_array_equal(masks[name], np.abs(final[name]) >= final[name].std())


def test_from_scratch_trains_the_pruned_shape_as_long_or_as_much(compute, run_of):
    plan = {"protocol": "scratch", "ratios": [0.25]}
    summary = compute("retrain", plan, run={"epochs": 6})
    by_arm = {line.arm: run_of(summary, line.key) for line in summary.lines}
    tuned, same, budget = by_arm["fine-tune"], by_arm["scratch-e"], by_arm["scratch-b"]
    assert masks_of(tuned).keys() == masks_of(same).keys()
    for name, mask in masks_of(tuned).items():
        assert (mask == masks_of(same)[name]).all()
    # 9 of 12 and 6 of 8 units: 64·9 + 9·6 + 6·10 of 944 multiply-adds are left.
    assert same.config["epochs"] == 6
    assert budget.config["epochs"] == round(6 * 944 / 690)


def test_a_net_from_scratch_is_drawn_with_the_spread_of_the_small_net():
    config = RunConfig(model="mlp", hidden=(400, 400), init="kaiming-normal", threads=1)
    scene = scene_of(config)
    masks = {"fc1": np.arange(400) < 100}
    drawn = scratch_weights(config, scene.data, scene.model, masks)["fc2.weight"]
    # fc2 has a quarter of its inputs left; He's draw for those is √(2/100).
    assert drawn.std() == pytest.approx(np.sqrt(2 / 100), rel=0.02)


def test_what_is_left_of_a_network_counted_by_hand():
    """Conv-2 on 8×8: a third of the first filters and half of the second are gone."""
    model = build_model("conv2", input_shape=(1, 8, 8), n_classes=10, width=6 / 64)
    found = live_layers(model, (1, 8, 8), {"conv1": np.arange(6) < 4, "conv2": np.arange(6) < 3})
    assert found["conv1"][:5] == (9, 9, 6, 4, 64)
    assert found["conv2"][:5] == (54, 36, 6, 3, 64)
    assert (found["fc1"].inputs, found["fc1"].live_inputs) == (6 * 16, 3 * 16)
    left, before = macs({"conv2": found["conv2"]})
    assert (left, before) == (36 * 3 * 64, 54 * 6 * 64)


def test_a_residual_stream_lives_as_long_as_anything_feeds_it():
    model = build_model("resnet20", input_shape=(1, 8, 8), n_classes=3, width=0.25)
    gone = {"stage1_block1.conv2": np.zeros(4, bool)}
    found = live_layers(model, (1, 8, 8), gone)
    assert found["stage1_block2.conv1"].live_inputs == found["stage1_block2.conv1"].inputs
    cut = {"conv1": np.zeros(4, bool), **gone}
    assert live_layers(model, (1, 8, 8), cut)["stage1_block2.conv1"].live_inputs == 0


def test_one_per_cluster_keeps_a_unit_of_each_direction_and_exactly_as_many_as_asked():
    directions = np.repeat(np.eye(3), 4, axis=0) * np.arange(1, 13)[:, None]
    mask = one_per_cluster(directions, np.ones(12, bool), 3, seed=0)
    assert mask.reshape(3, 4).sum(axis=1).tolist() == [1, 1, 1]
    for kept in (0, 5, 12):  # five clusters of three directions: two stay empty
        assert one_per_cluster(directions, np.ones(12, bool), kept, seed=0).sum() == kept


def test_a_resampled_classifier_leaves_the_rest_of_the_initialisation(compute, run_of):
    summary = compute("probe", {"what": "resampled-classifier"})
    first, second = run_of(summary, "s0-dense").arrays(0.0), run_of(summary, "s0-resampled").arrays(0.0)
    changed = {name for name in first if (first[name] != second[name]).any()}
    assert changed == {"fc3.weight", "fc3.bias"}


def test_a_small_net_starts_at_the_cluster_centres(compute, run_of):
    from prunescope.engine.geometry import angles_to_centers

    run = {"model": "channels", "hidden": [30]}
    summary = compute("probe", {"clusters": 3}, run=run)
    small = run_of(summary, "s0-cluster-centres").arrays(0.0)["conv1.weight"].reshape(3, -1)
    trained = run_of(summary, "s0-dense").arrays(2.0)["conv1.weight"].reshape(30, -1)
    # Each filter of the trained net is nearer to its centre than a random direction in 9 dimensions.
    assert angles_to_centers(trained, small).mean() < 70
    norms = np.linalg.norm(trained, axis=1)
    assert norms.min() <= np.linalg.norm(small, axis=1).min() <= norms.max()


def test_a_sweep_trains_every_combination_of_every_point(compute):
    plan = {"grid": {"lr": [0.01, 0.001], "optimizer": ["sgd", "adam"]}}
    summary = compute("sweep", plan, run={"epochs": 1}, seeds=[0, 1])
    assert summary.counts["done"] == 8
    assert [group.label for group in summary.groups] == [
        "lr 0.01, optimizer sgd", "lr 0.01, optimizer adam", "lr 0.001, optimizer sgd", "lr 0.001, optimizer adam",
    ]  # fmt: skip
    assert {value.n for group in summary.groups for value in group.values.values()} == {2}
    assert summary.differences == {"seed": [0, 1], "optimizer": ["sgd", "adam"], "lr": [0.01, 0.001]}
