"""The pages of experiments and of compared runs: means with their spread over seeds, and how runs are grouped."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prunescope.app import experiments
from prunescope.app.feeds.arms import share_kept
from prunescope.app.feeds.compare import cohorts, colour_of, painted
from prunescope.app.rows import RowServer
from prunescope.app.state import read_view
from prunescope.engine.experiments.folder import Described
from prunescope.engine.store import Store


def test_tickets_draw_mean_and_spread_over_seeds(finished: Described, complete: Any, line: Any) -> None:
    told = complete("tickets")
    assert told["settled"] == {"exp": finished.id}
    ticket = line(told["figures"]["ticket-accuracy"], "ticket")
    assert ticket["x"] == [1.0, 0.5, 0.25]
    assert ticket["y"] == pytest.approx([0.91, 0.90, 0.90])
    assert ticket["text"][1] == "± 1.4%, n=2"  # |0.89 − 0.91| / √2 = 0.0141
    assert told["texts"]["tickets-finding"] == (
        "Tickets stay within one point of the dense network down to 25 % of the weights; "
        "a fresh initialisation is first clearly behind at 50 %, by 8.0 ± 1.4 points."
    )
    assert told["texts"]["tickets-big"] == "90.0 %"


def test_one_seed_is_told_and_has_no_band(store: Store, finished: Described, complete: Any, line: Any) -> None:
    with finished.table() as table:
        table.requeue([row.key for row in table.rows() if row.cell.seed == 1])
    told = complete("tickets")
    ticket = line(told["figures"]["ticket-accuracy"], "ticket")
    assert ticket["text"] == ["n=1"] * 3
    assert "upper end" not in {trace["name"] for trace in told["figures"]["ticket-accuracy"]["data"]}
    assert told["texts"]["tickets-finding"].endswith("(n=1).")


def test_an_experiment_of_which_nothing_is_finished_draws_no_line(described: Described, complete: Any) -> None:
    told = complete("tickets", exp=described.id)
    assert told["texts"]["tickets-finding"] == "No round is finished yet."
    assert told["figures"]["ticket-accuracy"]["data"] == []


def test_no_experiment_at_all_is_a_sentence(answers: Any) -> None:
    assert "New experiment" in answers("tickets")[-1]["error"]
    assert "nobody" in answers("tickets", exp="nobody")[-1]["error"]


def test_share_kept_is_that_of_each_units_weights() -> None:
    mask = np.array([[True, True], [True, False], [False, False]])
    assert share_kept({"fc1.weight": mask}, "fc1", 3).tolist() == [1.0, 0.5, 0.0]
    assert share_kept({}, "fc1", 3) is None
    assert share_kept({"fc1.weight": mask}, "fc1", 4) is None


def test_compared_runs_are_grouped_by_all_but_their_seed(store: Store, finished: Described, complete: Any) -> None:
    keys = ["s0-ticket-02", "s1-ticket-02", "s0-reinit-02"]
    ids = [finished.run_id(key) for key in keys]
    groups = cohorts([store.run(name) for name in ids])
    assert [len(group.runs) for group in groups] == [2, 1]
    told = complete("compare", runs=",".join([*ids, "nobody"]))
    assert "nobody" in told["texts"]["compare-sub"]
    assert told["tables"]["compare-settings"]["rows"][-1] == ["seed", "0, 1", "0"]
    assert len(told["figures"]["compare-effect"]["data"]) >= 2


def test_runs_without_settings_are_never_taken_for_replicates(store: Store, record: Any) -> None:
    replicates = [store.run(record(f"seed {seed}", seed=seed, lr=0.1)) for seed in range(2)]
    assert len(cohorts(replicates)) == 1
    bare = [store.run(record("three")), store.run(record("four"))]
    assert len(cohorts(bare)) == 2


def test_a_run_has_the_colour_of_its_place_in_the_list() -> None:
    # By hand, as assets/colours.js does it: "ab" → 97 · 31 + 98 = 3105 = 8 · 388 + 1.
    assert colour_of("ab") == 1


def test_the_runs_compared_have_the_colours_asked_for(store: Store, record: Any) -> None:
    runs = [store.run(record("one", lr=0.1)), store.run(record("two", lr=0.2))]
    ids = [run.id for run in runs]
    assert [one.colour for one in cohorts(runs, painted(ids, "62"))] == [6, 2]
    # A link written for other runs, or by hand, asks for nothing.
    for nonsense in ("6", "629", "69", "x2"):
        assert [one.colour for one in cohorts(runs, painted(ids, nonsense))] == [colour_of(one) for one in ids]


def test_a_run_of_an_experiment_opens_its_own_experiment(store: Store, finished: Described) -> None:
    own = finished.id + ".s0-dense"
    assert experiments.of_run(store, own) == finished.id
    assert experiments.of_run(store, own, ["sweep"]) == ""
    assert experiments.of_run(store, "another") == ""


def test_what_is_only_not_there_yet_is_no_failure(tmp_path: Path) -> None:
    rows = RowServer(Store(tmp_path), None)
    for feed, first in (("tickets", "No experiment yet."), ("compare", "No runs to compare yet.")):
        told = b"".join(rows.whole(feed, read_view({}), "light"))
        length, _ = struct.unpack_from("<II", told)
        head = json.loads(told[8 : 8 + length])
        assert head["todo"] is True
        assert head["error"].startswith(first)
