"""Which lines an experiment has, along what they run, and what is said of them; by hand."""

import numpy as np
import pytest
from prunescope.app.feeds.arms import along, chain_of, series
from prunescope.app.feeds.compare import without_common_beginning
from prunescope.app.feeds.merged import merged_units
from prunescope.app.feeds.verdict import finding
from prunescope.app.figures import lab
from prunescope.engine.experiments.summary import Line, Summary, grouped


def summary(kind, *runs):
    """Finished runs (arm, level, label, remaining, accuracy) with the seeds 0, 1, … of equal ones."""
    lines, seen = [], {}
    for arm, level, label, remaining, accuracy in runs:
        seed = seen[arm, label] = seen.get((arm, label), -1) + 1
        lines.append(
            Line(
                key=f"s{seed}-{arm}-{label}", run_id="", arm=arm, level=level, label=label, seed=seed, state="done",
                progress=1.0, attempt=1, error="", seconds=1.0, parents=(), config={},
                result={"accuracy": accuracy, "remaining": remaining, "first_accuracy": accuracy - 0.1},
            )
        )  # fmt: skip
    return Summary(
        id="x", name="x", title="x", kind=kind, state="done", counts={}, lines=lines, groups=grouped(lines),
        seconds_left=0.0, differences={},
    )  # fmt: skip


DENSE = ("dense", 0.0, "dense", 1.0, 0.98)


def test_copies_pruned_at_other_times_run_along_the_time_with_the_dense_net_as_a_level():
    told = summary("schedule", DENSE, ("random at init", 0, "pruned at 0", 0.3, 0.90), ("pruned", 2, "pruned at 2", 0.3, 0.97),
                   ("pruned", 8, "pruned at 8", 0.3, 0.95))  # fmt: skip
    chance, copies, dense = series(told, "accuracy")
    assert (copies.x, copies.mean) == ([2, 8], [0.97, 0.95])
    assert (chance.x, chance.colour) == ([0], -1)
    assert (dense.x, dense.mean) == ([0, 8], [0.98, 0.98])
    assert chain_of(["dense", "random at init", "pruned"]) == "pruned"
    assert finding(told) == (
        "Copies pruned at epoch 2 end best (97.0 %), 1.0 points behind the network that was never pruned and 7.0 points "
        "ahead of one that lost random units at the start (n=1)."
    )


def test_layers_pruned_one_at_a_time_have_lines_of_their_own():
    runs = [(arm, ratio, f"{layer} {ratio:g}", 0.9, accuracy - ratio / 10)
            for arm, accuracy in (("smallest", 0.98), ("largest", 0.9)) for layer in ("conv1", "conv2") for ratio in (0.25, 0.5)]
    told = summary("retrain", DENSE, *runs)
    drawn = series(told, "accuracy")
    assert [one.name for one in drawn] == [
        "conv1, smallest first", "conv2, smallest first", "conv1, largest first", "conv2, largest first", "dense",
    ]  # fmt: skip
    assert drawn[0].x == [0.25, 0.5]
    assert (drawn[0].colour, drawn[0].symbol != drawn[1].symbol) == (drawn[1].colour, True)
    assert along(told).words == "removed of the layer's units"
    assert "smallest first 94.2 %, largest first 86.2 %; before it: 84.2 %, 76.2 %" in finding(told)


def test_what_is_carried_to_another_task_begins_at_the_dense_net_of_that_task():
    told = summary("tickets", DENSE, ("ticket", 1, "round 1", 0.5, 0.97), ("transfer", 1, "round 1", 0.5, 0.7),
                   ("dense-target", 0, "dense", 1.0, 0.8))  # fmt: skip
    ticket, transfer = series(told, "accuracy")
    assert (ticket.x, ticket.mean) == ([1.0, 0.5], [0.98, 0.97])
    assert transfer.mean == [0.8, 0.7]


def test_an_advantage_that_seeds_alone_would_give_is_not_claimed():
    apart = [(arm, 1, "round 1", 0.5, value) for arm, values in (("ticket", (0.98, 0.90)), ("reinit", (0.90, 0.96)))
             for value in values]  # fmt: skip
    assert "a fresh initialisation is nowhere clearly behind" in finding(summary("tickets", DENSE, DENSE, *apart))
    clear = [(arm, 2, "round 2", 0.1, value) for arm, values in (("ticket", (0.95, 0.96)), ("reinit", (0.90, 0.91)))
             for value in values]  # fmt: skip
    told = finding(summary("tickets", DENSE, DENSE, *apart, *clear))
    assert "first clearly behind at 10 %, by 5.0 ± 0.0 points" in told


def test_labels_go_where_the_curves_are_not():
    falling = lab.Series(name="a", x=[0, 1, 2], mean=[1.0, 0.9, 0.0], sd=[np.nan] * 3, n=[1] * 3)
    look = lab.Look(x="x", y="y")
    assert lab.free_corner([falling], look, width=0.3, height=0.3) == (False, True)
    low_left = lab.Series(name="a", x=[0, 1, 2], mean=[0.0, 1.0, 1.0], sd=[np.nan] * 3, n=[1] * 3)
    assert lab.free_corner([low_left], look, width=0.3, height=0.3) == (True, True)


def test_an_empty_figure_has_a_sentence_and_no_axes():
    from prunescope.app.figures.theme import LIGHT

    layout = lab.with_spread(LIGHT, [], lab.Look(x="x", y="y", empty="nothing yet"))["layout"]
    assert (layout["annotations"][0]["text"], layout["xaxis"]["visible"], layout["yaxis"]["visible"]) == (
        "nothing yet", False, False,
    )  # fmt: skip


def test_two_networks_are_laid_into_one_plane():
    """The second is the first with its units swapped and one pruned: each has its like there, no number agrees."""
    one = np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 3]])
    other = np.array([[0, 5.0, 0], [1, 0, 0], [0, 0, 0]])
    found = merged_units(one, other, ("a", "b"))
    assert [len(points) for points in found.points] == [3, 2]
    np.testing.assert_allclose(found.points[0][0], found.points[1][1], atol=1e-9)
    assert found.nearest == pytest.approx(2 / 3)
    assert found.same == pytest.approx(0.0)
    with pytest.raises(ValueError, match="fan-in"):
        merged_units(one, np.ones((2, 4)), ("a", "b"))
    with pytest.raises(ValueError, match="no living unit"):
        merged_units(one, np.zeros((2, 3)), ("a", "b"))


def test_names_lose_what_all_of_them_begin_with():
    assert without_common_beginning(["x: dense", "x: ticket round 3"]) == ["dense", "ticket round 3"]
    assert without_common_beginning(["x: dense", "y: dense"]) == ["x: dense", "y: dense"]
    assert without_common_beginning(["x: dense"]) == ["x: dense"]
