"""Lottery tickets: the reset is proved to the bit, counts are exact, controls differ in one thing only."""

import numpy as np
import pytest
from prunescope.engine.experiments.summary import mask_overlap, masks_of
from prunescope.engine.training.start import read_start

LAYERS = ("fc1.weight", "fc2.weight", "fc3.weight")
SIZES = {"fc1.weight": 12 * 64, "fc2.weight": 8 * 12, "fc3.weight": 10 * 8}


def survivors(size, rate, rounds):
    for _ in range(rounds):
        size -= round(size * rate)
    return size


def test_rewound_weights_are_the_initialisation_times_the_mask_bit_for_bit(compute, run_of):
    summary = compute("tickets", {"levels": 3, "arms": ["dense", "ticket"]})
    initial = run_of(summary, "s0-dense").arrays(0.0)
    for level in (1, 2, 3):
        ticket = run_of(summary, f"s0-ticket-{level:02d}")
        masks = masks_of(ticket)
        assert set(masks) == set(LAYERS)
        for name, array in ticket.arrays(0.0).items():
            expected = np.where(masks[name], initial[name], 0) if name in masks else initial[name]
            assert expected.astype(np.float32).tobytes() == (array + 0.0).tobytes()  # -0.0 counts as 0


def test_a_chain_prunes_what_is_left_of_the_ticket_before(compute, run_of):
    summary = compute("tickets", {"levels": 3, "arms": ["ticket"]})
    before = run_of(summary, "s0-ticket-01")
    final, mask = before.arrays(2.0), masks_of(before)
    after = masks_of(run_of(summary, "s0-ticket-02"))
    for name in LAYERS:
        assert not (after[name] & ~mask[name]).any()
        gone = mask[name] & ~after[name]
        assert np.abs(final[name][gone]).max() <= np.abs(final[name][after[name]]).min()


@pytest.mark.parametrize("method", ["iterative", "one-shot"])
@pytest.mark.parametrize("rate", [0.2, 0.5, 1.0])
def test_exactly_the_asked_number_is_left_at_every_level_and_rate(compute, run_of, method, rate):
    summary = compute("tickets", {"levels": 2, "rate": rate, "method": method, "arms": ["ticket"]})
    for level in (1, 2):
        masks = masks_of(run_of(summary, f"s0-ticket-{level:02d}"))
        for name, size in SIZES.items():
            own = rate / 2 if name == "fc3.weight" else rate
            assert masks[name].sum() == survivors(size, own, level)


def test_one_shot_takes_all_from_the_dense_net(compute, run_of):
    summary = compute("tickets", {"levels": 2, "method": "one-shot", "arms": ["ticket"]})
    final = run_of(summary, "s0-dense").arrays(2.0)["fc1.weight"]
    mask = masks_of(run_of(summary, "s0-ticket-02"))["fc1.weight"]
    assert np.abs(final[~mask]).max() <= np.abs(final[mask]).min()


def test_global_rates_rank_hidden_layers_together(compute, run_of):
    summary = compute("tickets", {"levels": 1, "rate": 0.5, "scope": "global", "arms": ["ticket"]})
    masks = masks_of(run_of(summary, "s0-ticket-01"))
    assert masks["fc1.weight"].sum() + masks["fc2.weight"].sum() == (768 + 96) // 2
    assert masks["fc3.weight"].sum() == 60


def test_layer_rates_go_before_the_common_one(compute):
    summary = compute("tickets", {"levels": 1, "layer_rates": {"fc1": 0.75, "fc2": 0}, "arms": ["ticket"]})
    (line,) = [line for line in summary.lines if line.arm == "ticket"]
    assert line.result["kept"] == {"fc1": [192, 768], "fc3": [72, 80]}


@pytest.mark.parametrize(("unit", "at", "step"), [("epoch", 1, 5), ("epoch", 0.4, 2), ("step", 3, 3)])
def test_late_rewinding_takes_weights_optimiser_and_data_order_back(compute, run_of, unit, at, step):
    """With nothing removed, a rewound run ends in the very bits of the dense one."""
    plan = {"levels": 1, "arms": ["ticket"], "rewind": unit, "rewind_at": at, "layer_rates": {"*": 0}}
    summary = compute("tickets", plan, run={"schedule": "cosine"})
    dense, ticket = run_of(summary, "s0-dense"), run_of(summary, "s0-ticket-01")
    assert ticket.epochs[0] == step / 5
    for name, array in dense.arrays(2.0).items():
        np.testing.assert_array_equal(ticket.arrays(2.0)[name], array)


def test_late_rewinding_masks_the_weights_of_that_step(compute, run_of):
    plan = {"levels": 1, "rate": 0.5, "arms": ["ticket"], "rewind": "epoch", "rewind_at": 1}
    summary = compute("tickets", plan)
    dense, ticket = run_of(summary, "s0-dense"), run_of(summary, "s0-ticket-01")
    masks = masks_of(ticket)
    for name, array in dense.arrays(1.0).items():
        np.testing.assert_array_equal(ticket.arrays(1.0)[name], array * masks.get(name, 1))


def test_without_rewinding_the_survivors_are_trained_on(compute, run_of):
    plan = {"levels": 1, "arms": ["ticket"], "rewind": "none", "retrain": {"epochs": 1, "lr": 1e-4}}
    summary = compute("tickets", plan)
    dense, tuned = run_of(summary, "s0-dense"), run_of(summary, "s0-ticket-01")
    masks = masks_of(tuned)
    np.testing.assert_array_equal(
        tuned.arrays(0.0)["fc1.weight"], dense.arrays(2.0)["fc1.weight"] * masks["fc1.weight"]
    )
    assert (tuned.epochs[-1], tuned.config["lr"]) == (1.0, 1e-4)


def test_controls_share_the_mask_or_its_size_and_nothing_else(compute, run_of):
    summary = compute("tickets", {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket", "reinit", "random"]})
    dense, ticket, reinit, random = (
        run_of(summary, key) for key in ("s0-dense", "s0-ticket-02", "s0-reinit-02", "s0-random-02")
    )
    for name in LAYERS:
        mask, same, other = (masks_of(run)[name] for run in (ticket, reinit, random))
        assert (mask == same).all()
        assert mask.sum() == other.sum()
        assert (mask != other).any()
        initial = dense.arrays(0.0)[name]
        np.testing.assert_array_equal(random.arrays(0.0)[name], initial * other)
        assert (reinit.arrays(0.0)[name][mask] != initial[mask]).any()
        assert (reinit.arrays(0.0)[name][~mask] == 0).all()


def test_units_are_removed_whole_and_those_of_the_output_never(compute, run_of):
    plan = {"levels": 2, "rate": 0.5, "structure": "units", "arms": ["dense", "ticket", "one-per-cluster"]}
    summary = compute("tickets", plan)
    for arm in ("ticket", "one-per-cluster"):
        run = run_of(summary, f"s0-{arm}-02")
        assert read_start(run.path).facts["kept"] == {"fc1": [3, 12], "fc2": [2, 8]}
        gone = ~masks_of(run)["fc1.bias"]
        final = run.arrays(2.0)
        assert gone.sum() == 9
        assert not final["fc1.weight"][gone].any()
        assert not final["fc1.bias"][gone].any()
        assert final["fc3.weight"].any(axis=1).all()


def test_remaining_of_units_counts_the_inputs_that_are_still_fed(compute):
    """Worked by hand: 6 of 12 and 4 of 8 units are 64·6 + 6·4 + 4·10 of 64·12 + 12·8 + 8·10 weights."""
    summary = compute("tickets", {"levels": 1, "rate": 0.5, "structure": "units", "arms": ["ticket"]})
    (line,) = [line for line in summary.lines if line.arm == "ticket"]
    assert (line.result["weights"], line.result["of"]) == (64 * 6 + 6 * 4 + 4 * 10, 64 * 12 + 12 * 8 + 8 * 10)


def test_a_ticket_is_carried_to_another_optimiser_and_other_images(compute, run_of):
    target = {"optimizer": "sgd", "lr": 0.05, "corruption": "shuffled-pixels"}
    summary = compute("tickets", {"levels": 1, "target": target, "arms": ["dense", "ticket", "reinit"]})
    source, moved = run_of(summary, "s0-ticket-01"), run_of(summary, "s0-transfer-01")
    assert moved.config["optimizer"] == "sgd"
    assert source.config["optimizer"] == "adam"
    for name in LAYERS:
        np.testing.assert_array_equal(source.arrays(0.0)[name], moved.arrays(0.0)[name])
    assert run_of(summary, "s0-dense-target").config["corruption"] == "shuffled-pixels"


def test_layers_that_do_not_fit_the_target_are_drawn_anew_and_left_whole(compute, run_of):
    target = {"hidden": [12, 9]}
    summary = compute("tickets", {"levels": 1, "target": target, "arms": ["ticket"]})
    source, moved = run_of(summary, "s0-ticket-01"), run_of(summary, "s0-transfer-01")
    assert set(masks_of(moved)) == {"fc1.weight"}
    np.testing.assert_array_equal(source.arrays(0.0)["fc1.weight"], moved.arrays(0.0)["fc1.weight"])


def test_masks_of_different_seeds_are_compared_with_chance(compute, store):
    summary = compute("tickets", {"levels": 1, "rate": 0.5, "arms": ["ticket"]}, seeds=[0, 1, 2])
    found = mask_overlap(store, summary.lines, "ticket", 1)
    assert set(found) == set(LAYERS)
    assert found["fc1.weight"].n_pairs == 3
    assert found["fc1.weight"].expected == pytest.approx(1 / 3)
    assert 0 < found["fc1.weight"].mean < 1
