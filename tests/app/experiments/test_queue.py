"""The queue of an experiment as the browser asks about it and steers it."""

import os
import subprocess
from typing import Any

import pytest
from flask.testing import FlaskClient
from prunescope.app import experiments
from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.turns import take_place
from prunescope.engine.store import Store


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
