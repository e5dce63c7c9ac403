"""Experiments from the browser: refused with reasons, started in a process of their own, steered, followed."""

import json
import os
import re
import shlex
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from prunescope.app import experiments, recipe_form
from prunescope.app.feeds import quantities
from prunescope.app.feeds.arms import share_kept
from prunescope.app.feeds.compare import cohorts, colour_of
from prunescope.app.feeds.points import Point, grouped, varied_settings
from prunescope.app.feeds.recorded import NUMBERS, Recorded
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments import head
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Described, Experiments, experiment_id
from prunescope.engine.experiments.recipes import changed, read_recipe, recipe_names
from prunescope.engine.experiments.turns import take_place
from prunescope.engine.store import LayerInfo, Store

LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))
TINY = {
    "kind": "tickets",
    "name": "tiny",
    "title": "A tiny one",
    "seeds": [0, 1],
    "run": {"model": "mlp", "hidden": [12, 8], "epochs": 2},
    "tickets": {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket", "reinit"]},
}
# What each arm ends with, by seed; sd of two values a, b is |a − b| / √2.
ACCURACY = {"dense": (0.90, 0.92), "ticket": (0.89, 0.91), "reinit": (0.80, 0.84)}


@pytest.fixture
def described(store: Store) -> Described:
    return Experiments(store).create(experiment_from(TINY))


@pytest.fixture
def finished(store: Store, described: Described) -> Described:
    """The same, computed: every run with two snapshots and the accuracy of its arm."""
    with described.table() as table:
        for row in table.rows():
            accuracy = ACCURACY[row.cell.arm][row.cell.seed]
            run_id = store.create_run(row.cell.config, name=row.key, run_id=described.run_id(row.key))
            with store.writer(run_id) as writer:
                writer.declare([LAYER], total_epochs=1)
                writer.set_state("running")
                for epoch in range(2):
                    weights = np.random.default_rng(epoch).standard_normal((4, 3)).astype(np.float32)
                    metrics = {"val/accuracy": accuracy * epoch, "val/loss": 1.0 - epoch / 2}
                    writer.commit(epoch, {"fc1.weight": weights}, metrics)
                writer.set_state("done")
            table.begin(row.key, run_id)
            result = {"accuracy": accuracy, "remaining": 0.5**row.cell.level, "early_stop_iteration": 10}
            table.finish(row.key, result)
    return described


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands of the processes that would have been started."""
    commands: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(head.subprocess, "Popen", Process)
    return commands


def answers(client: FlaskClient, feed: str, **query: str) -> list[dict[str, Any]]:
    """Headers of the frames that a page gets."""
    body = client.get("/api/rows", query_string={"feed": feed, **query}).data
    found = []
    while body:
        size, load = struct.unpack_from("<II", body)
        found.append(json.loads(body[8 : 8 + size]))
        body = body[8 + size + load :]
    return found


def complete(client: FlaskClient, feed: str, **query: str) -> dict[str, Any]:
    return [head for head in answers(client, feed, **query) if "figures" in head][-1]


def line(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [trace for trace in figure["data"] if trace["name"] == name]
    return found


def test_every_shipped_recipe_has_a_form_that_is_accepted_as_it_is() -> None:
    forms = recipe_form.forms()
    assert {form["recipe"] for form in forms} == set(recipe_names())
    for form in forms:
        if form["scale"] != "this machine":
            continue
        # Texts as they stand in the form, sent back unchanged.
        changes = {field["name"]: field["value"] for field in form["fields"] if field["kind"] == "lines"}
        _, runs = recipe_form.asked_for(form["recipe"], changes)
        assert runs == form["runs"]
    assert forms[0]["recipe"] == "digits-lenet"


def test_a_sweep_of_any_setting_is_written_in_lines() -> None:
    changes = {"sweep.grid": "lr = [0.1, 0.01]\ninit_scale = [0.1, 1.0]", "sweep.points": "label_noise = 0.5\n\nepochs = 3",
               "sweep.measures": "", "seeds": "0"}  # fmt: skip
    experiment, runs = recipe_form.asked_for("digits-width", changes)
    assert (runs, experiment.plan.grid) == (8, {"lr": [0.1, 0.01], "init_scale": [0.1, 1.0]})
    with pytest.raises(ConfigError) as caught:
        recipe_form.asked_for("digits-width", {"sweep.grid": "lr = 0.1, 0.01", "sweep.points": "label_noise"})
    assert set(caught.value.problems) == {"sweep.grid", "sweep.points"}


def test_the_command_of_a_form_repeats_its_experiment(owner: FlaskClient, store: Store, started: list) -> None:
    changes = {"sweep.grid": "hidden = [[8], [16]]", "sweep.points": "lr = 0.05", "seeds": "0"}
    name = owner.post("/api/experiments", json={"recipe": "digits-width", "changes": changes}).json["experiment"]
    told = shlex.split(Experiments(store).open(name).command)
    sets = [told[i + 1] for i, word in enumerate(told) if word == "--set"]
    assert told[:4] == ["prunescope", "sweep", "--recipe", "digits-width"] and told[-1] == str(store.root)
    again = experiment_from(changed(read_recipe("digits-width"), sets))
    assert experiment_id(again) == name


def test_problems_stand_at_the_settings_they_are_about(owner: FlaskClient) -> None:
    changes = {"tickets.rate": "1.5", "run.epochs": "many", "seeds": "0, 0", "run.device": "cuda"}
    told = owner.post("/api/experiments/validate", json={"recipe": "digits-lenet", "changes": changes}).json
    assert set(changes) <= set(told["problems"])
    assert "0.2 removes a fifth" in told["problems"]["tickets.rate"]


def test_a_recipe_of_ones_own_cannot_be_named_from_the_browser(owner: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('kind = "tickets"\nname = "own"\n[run]\nmodel = "os:system"\n')
    for recipe in (str(tmp_path / "own.toml"), "../own.toml", "nothing"):
        answer = owner.post("/api/experiments", json={"recipe": recipe, "changes": {}})
        assert answer.status_code == 422 and "does not ship" in answer.json["problems"]["recipe"]


def test_code_of_the_users_own_is_refused_from_the_browser(owner: FlaskClient, started: list) -> None:
    answer = owner.post("/api/experiments", json={"recipe": "digits-lenet", "changes": {"run.model": "os:system"}})
    assert answer.status_code == 422 and "run.model" in answer.json["problems"]
    assert started == []


@pytest.mark.parametrize("body", [[], {}, {"recipe": 1}, {"recipe": "digits-lenet", "changes": []}])
def test_a_body_that_is_no_experiment_is_told_what_to_send(owner: FlaskClient, body: Any) -> None:
    assert owner.post("/api/experiments", json=body).status_code == 400


def test_an_experiment_is_queued_and_worked_on_by_a_process_of_its_own(
    owner: FlaskClient, store: Store, started: list[list[str]]
) -> None:
    changes = {"seeds": "0", "tickets.levels": "19", "run.epochs": "1"}
    answer = owner.post("/api/experiments", json={"recipe": "digits-lenet", "changes": changes})
    assert answer.status_code == 201, answer.json
    name = answer.json["experiment"]
    (command,) = started
    assert command[-4:] == ["--experiment", name, "--executor", "local:1"]
    assert "prunescope.engine.experiments.head" in command
    queue = owner.get(f"/api/experiments/{name}").json
    assert queue["state"] == "stopped" and queue["counts"]["queued"] == len(queue["runs"])
    assert "--set run.epochs=1" in queue["command"]


def test_runs_of_the_queue_are_paused_cancelled_and_retried(
    owner: FlaskClient, described: Described, started: list
) -> None:
    def ask(action: str, run: str = "s0-dense") -> int:
        body = {"action": action, "run": run}
        return owner.post(f"/api/experiments/{described.id}/control", json=body).status_code

    def state() -> str:
        return owner.get(f"/api/experiments/{described.id}").json["runs"][0]["state"]

    for action, expected in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued")):
        assert ask(action) == 200
        assert state() == expected
    assert ask("retry") == 409
    assert ask("first", "nobody") == 409
    assert ask("explode") == 400
    assert ask("first", "") == 400
    assert ask("pause", "") == 200
    assert owner.get(f"/api/experiments/{described.id}").json["state"] == "paused"


def test_the_rest_of_a_queue_is_cancelled_and_taken_up_again(
    owner: FlaskClient, described: Described, started: list
) -> None:
    def ask(action: str) -> dict[str, int]:
        assert owner.post(f"/api/experiments/{described.id}/control", json={"action": action}).status_code == 200
        return owner.get(f"/api/experiments/{described.id}").json["counts"]

    with described.table() as table:
        table.begin("s0-dense", "x")
        table.finish("s0-dense", {"accuracy": 1.0})
        table.begin("s1-dense", "y")
        counts = ask("cancel")
        assert (counts["done"], counts["running"], counts["cancelled"]) == (1, 1, 8)
        assert table.row("s1-dense").wish == "cancel"  # it is saved, then leaves
        table.release("s1-dense")
    assert started == []
    counts = ask("retry")
    assert (counts["done"], counts["queued"]) == (1, 9)
    assert len(started) == 1


def test_a_queue_that_stands_in_line_says_so_and_is_not_started_twice(
    owner: FlaskClient, described: Described, started: list
) -> None:
    place = take_place(described.path)
    try:
        assert owner.get(f"/api/experiments/{described.id}").json["state"] == "waiting"
        assert owner.post(f"/api/experiments/{described.id}/control", json={"action": "resume"}).status_code == 200
    finally:
        os.close(place)
    assert started == []
    (described.path / "head.log").write_text("first\n[Errno 28] No space left on device\n")
    told = owner.get(f"/api/experiments/{described.id}").json
    assert (told["state"], told["log"]) == ("stopped", "[Errno 28] No space left on device")


def test_a_failed_run_shows_its_error_and_what_starts_from_it_is_blocked(
    client: FlaskClient, described: Described
) -> None:
    with described.table() as table:
        table.begin("s0-dense", described.run_id("s0-dense"))
        table.fail("s0-dense", "loss is nan at epoch 1: make lr smaller.")
    runs = {run["key"]: run for run in client.get(f"/api/experiments/{described.id}").json["runs"]}
    assert runs["s0-dense"]["error"].startswith("loss is nan")
    assert runs["s0-ticket-01"]["state"] == "blocked" and runs["s1-ticket-01"]["state"] == "queued"


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", "a/b"])
def test_an_experiment_that_is_not_there_is_told(client: FlaskClient, name: str) -> None:
    assert client.get(f"/api/experiments/{name}").status_code == 404


def test_the_stamp_moves_with_the_queue_and_not_with_looking(store: Store, described: Described) -> None:
    before = experiments.stamps(store)
    experiments.queue(store, described)
    assert experiments.stamps(store) == before
    with described.table() as table:
        table.cancel("s1-reinit-02")
    assert experiments.stamps(store) != before


def test_tickets_draw_mean_and_spread_over_seeds(client: FlaskClient, finished: Described) -> None:
    told = complete(client, "tickets")
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


def test_one_seed_is_told_and_has_no_band(client: FlaskClient, store: Store, finished: Described) -> None:
    with finished.table() as table:
        table.requeue([row.key for row in table.rows() if row.cell.seed == 1])
    told = complete(client, "tickets")
    ticket = line(told["figures"]["ticket-accuracy"], "ticket")
    assert ticket["text"] == ["n=1"] * 3
    assert "upper end" not in {trace["name"] for trace in told["figures"]["ticket-accuracy"]["data"]}
    assert told["texts"]["tickets-finding"].endswith("(n=1).")


def test_an_experiment_of_which_nothing_is_finished_draws_no_line(client: FlaskClient, described: Described) -> None:
    told = complete(client, "tickets", exp=described.id)
    assert told["texts"]["tickets-finding"] == "No round is finished yet."
    assert told["figures"]["ticket-accuracy"]["data"] == []


def test_no_experiment_at_all_is_a_sentence(client: FlaskClient) -> None:
    assert "New experiment" in answers(client, "tickets")[-1]["error"]
    assert "nobody" in answers(client, "tickets", exp="nobody")[-1]["error"]


def test_share_kept_is_that_of_each_units_weights() -> None:
    mask = np.array([[True, True], [True, False], [False, False]])
    assert share_kept({"fc1.weight": mask}, "fc1", 3).tolist() == [1.0, 0.5, 0.0]
    assert share_kept({}, "fc1", 3) is None
    assert share_kept({"fc1.weight": mask}, "fc1", 4) is None


def test_a_sweep_takes_runs_together_that_differ_in_the_seed_alone() -> None:
    points = [
        Point({"lr": lr, "optimizer": name, "hidden": [8]}, seed, {"accuracy": value})
        for lr, name, seed, value in [
            (0.1, "sgd", 0, 0.8), (0.1, "sgd", 1, 0.6), (0.01, "sgd", 0, 0.5), (0.1, "adam", 0, 0.4),
        ]
    ]  # fmt: skip
    assert varied_settings(points) == ["lr", "optimizer"]
    (sgd, adam), numeric = grouped(points, "lr", "optimizer", "accuracy")
    assert numeric and sgd.x == [0.01, 0.1] and sgd.n == [1, 2] and adam.n == [1]
    assert sgd.mean == pytest.approx([0.5, 0.7])
    assert sgd.sd[1] == pytest.approx(0.2 / np.sqrt(2)) and np.isnan(sgd.sd[0])
    (both,), _ = grouped(points, "optimizer", "", "accuracy")
    assert both.x == ["sgd", "adam"] and both.n == [3, 1]


def test_the_sweep_page_shows_any_quantity_against_any_setting(client: FlaskClient, finished: Described) -> None:
    told = complete(client, "sweep", setting="arm")
    (drawn,) = told["figures"]["sweep"]["data"]
    assert drawn["x"] == ["dense", "ticket", "reinit"] and drawn["text"][0] == "± 1.4%, n=2"
    assert "round or level" in told["texts"]["sweep-sub"]
    by_itself = complete(client, "sweep")["figures"]["sweep"]
    assert [trace["name"] for trace in by_itself["data"] if "marker" in trace] == ["dense", "ticket", "fresh initialisation"]
    layered = complete(client, "sweep", setting="level", quantity="rank fc1")
    assert layered["figures"]["sweep"]["layout"]["yaxis"]["title"]["text"] == "effective rank of fc1"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("turned", 90.0), ("moved", np.sqrt(5)), ("cosine", 13 / 25), ("potential", 13 / 15), ("stable", 20 / 12),
        ("angle", 0.0), ("spread", 0.0), ("knee", 1), ("outside", 0), ("rank", None), ("closer", None), ("z", None),
    ],
)  # fmt: skip
def test_every_number_of_a_layer_is_that_of_its_living_units(kind: str, expected: float | None, store: Store) -> None:
    """By hand: e1, e2, e1, e2, e1, e2 turn by 90° and double, the last one is pruned; 3 of 5 are then alike."""
    initial = np.tile(np.eye(2, dtype=np.float32), (3, 1))
    final = 2 * initial[:, ::-1] * (np.arange(6) < 5)[:, None]
    run_id = store.create_run({}, name="by hand")
    with store.writer(run_id) as writer:
        writer.declare([LayerInfo(name="fc1", kind="linear", units=6, fan_in=2, shape=(6, 2))], total_epochs=1)
        for epoch, weights in enumerate((initial, final)):
            writer.commit(epoch, {"fc1.weight": weights}, {})
        writer.set_state("done")
    found = Recorded().layer_at_the_end(store.run(run_id), kind, "fc1")
    assert np.isfinite(found) if expected is None else found == pytest.approx(expected, abs=1e-5)
    assert np.isnan(Recorded().layer_at_the_end(store.run(run_id), kind, "nowhere"))


def test_the_quantities_of_layers_are_those_that_can_be_computed() -> None:
    assert set(quantities.OF_LAYERS) == {*NUMBERS, "closer", "z"}


def test_compared_runs_are_grouped_by_all_but_their_seed(client: FlaskClient, store: Store, finished: Described) -> None:
    keys = ["s0-ticket-02", "s1-ticket-02", "s0-reinit-02"]
    ids = [finished.run_id(key) for key in keys]
    groups = cohorts([store.run(name) for name in ids])
    assert [len(group.runs) for group in groups] == [2, 1]
    told = complete(client, "compare", runs=",".join([*ids, "nobody"]))
    assert "nobody" in told["texts"]["compare-sub"]
    assert told["tables"]["compare-settings"]["rows"][-1] == ["seed", "0, 1", "0"]
    assert len(told["figures"]["compare-effect"]["data"]) >= 2


def test_runs_without_settings_are_never_taken_for_replicates(store: Store, record: Any) -> None:
    replicates = [store.run(record(f"seed {seed}", seed=seed, lr=0.1)) for seed in range(2)]
    assert len(cohorts(replicates)) == 1
    bare = [store.run(record("three")), store.run(record("four"))]
    assert len(cohorts(bare)) == 2


def test_a_run_has_the_colour_of_its_place_in_the_list() -> None:
    # By hand, as assets/runs.js does it: "ab" → 97 · 31 + 98 = 3105 = 8 · 388 + 1.
    assert colour_of("ab") == 1


def test_the_live_stream_tells_of_a_queue_that_moves(app: Any, store: Store, described: Described) -> None:
    live = app.server.extensions["prunescope.live"]
    live.look_now()
    seq, _, _ = live.since(0)
    assert set(live.experiments()) == {described.id}
    assert live.experiments(seq) is None
    with described.table() as table:
        table.cancel("s0-reinit-01")
    live.look_now()
    assert set(live.experiments(seq)) == {described.id}


def test_nothing_here_starts_a_process_by_being_looked_at(
    client: FlaskClient, finished: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    for path in ("/api/experiments", "/api/experiments/form", f"/api/experiments/{finished.id}"):
        assert client.get(path).status_code == 200


def test_a_report_is_one_page_with_the_figures_and_nothing_from_elsewhere(
    client: FlaskClient, store: Store, finished: Described
) -> None:
    answer = client.get(f"/api/experiments/{finished.id}/report")
    page = answer.text
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{finished.id}.html"'
    assert "a fresh initialisation is first clearly behind at 50 %" in page
    held = re.findall(r'<script type="application/json" id="figure-\d+-data">(.*?)</script>', page)
    first = json.loads(held[0])
    assert line(first, "ticket")["y"] == pytest.approx([0.91, 0.90, 0.90])
    assert "0.9000 ± 0.0141" in page and "2 of 2" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page.partition("<script>")[0])
    assert client.get("/api/experiments/nobody/report").status_code == 404
