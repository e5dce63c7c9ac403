"""The JSON routes: what they tell, what they refuse, and how they say so."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prunescope.app import api, control
from prunescope.app.wire import plain
from prunescope.engine.config import field_specs
from prunescope.engine.data import DATASETS
from prunescope.engine.store import Store

NASTY = '<script>alert(1)</script>"\'&\u2028'


def test_data_that_are_out_of_reach_are_refused_at_the_start_beside_their_field(
    owner: FlaskClient, store: Store, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setitem(DATASETS, "cifar10", replace(DATASETS["cifar10"], mirrors=(f"file://{tmp_path}/nowhere/",)))
    config = {"dataset": "cifar10", "data_dir": str(tmp_path)}
    # Looking at a form asks nobody.
    assert owner.post("/api/validate", json={"config": config}).json == {"problems": {}}
    answer = owner.post("/api/runs", json={"config": config})
    assert answer.status_code == 422
    assert "Put there: data_batch_1" in answer.json["problems"]["dataset"]
    assert store.runs() == []


def test_the_list_of_runs_tells_them_apart(client: FlaskClient, record) -> None:
    record("one", dataset="digits", model="conv2", epochs=1, lr=0.5)
    (run,) = client.get("/api/runs").json["runs"]
    assert run["id"] == "one"
    assert run["status"] == "done"
    assert (run["dataset"], run["model"]) == ("digits", "conv2")
    assert run["settings"] == {"model": "conv2", "lr": 0.5}
    assert run["best"]["value"] == 0.0


def test_a_run_shows_its_settings_layers_and_epochs(client: FlaskClient, record, store: Store) -> None:
    record("one", epochs=3, lr=0.5)
    (store.root / "one" / "log.txt").write_text("first\nlast\n")
    run = client.get("/api/runs/one").json
    assert run["config"] == {"lr": 0.5}
    assert run["layers"] == [
        {"name": "fc1", "kind": "linear", "units": 4, "fan_in": 3, "shape": [4, 3], "dtype": "float32"}
    ]
    assert run["epochs"] == [0, 1, 2]
    assert run["log"] == ["first", "last"]


@pytest.mark.parametrize(
    "run_id",
    ["absent", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", ".trash", "ONE", "one%00", "one/", "%5c", "-", "a" * 500],
)
def test_an_id_that_is_no_run_of_this_folder_is_404(owner: FlaskClient, record, run_id: str) -> None:
    record("one")
    for answer in (
        owner.get(f"/api/runs/{run_id}"),
        owner.post(f"/api/runs/{run_id}/control", json={"action": "delete"}),
        owner.post(f"/api/runs/{run_id}/control", json={"action": "restore"}),
        owner.post(f"/api/runs/{run_id}/control", json={"action": "rename", "name": "x"}),
    ):
        assert answer.status_code == 404, run_id
        assert answer.mimetype == "application/json"
    assert client_ids(owner) == ["one"]


def client_ids(client: FlaskClient) -> list[str]:
    return [run["id"] for run in client.get("/api/runs").json["runs"]]


def test_a_link_out_of_the_folder_is_not_followed(owner: FlaskClient, store: Store, record, tmp_path: Path) -> None:
    record("one")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (store.root / "one" / "log.txt").symlink_to(tmp_path / "outside" / "secret")
    assert "secret" not in owner.get("/api/runs/one").text


def test_text_of_a_run_travels_as_json_text(owner: FlaskClient, record, store: Store) -> None:
    record("one", note=NASTY)
    owner.post("/api/runs/one/control", json={"action": "rename", "name": NASTY})
    for path in ("/api/runs", "/api/runs/one", "/api/poll"):
        answer = owner.get(path)
        assert answer.mimetype == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>alert(1)" in owner.get("/api/runs/one").json["name"]
    assert "alert(1)" not in owner.get("/").text


def test_numbers_that_json_has_no_word_for_become_null(client: FlaskClient, record) -> None:
    record("one", scale=float("nan"), most=float("inf"))
    text = client.get("/api/runs/one").text
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["config"] == {"scale": None, "most": None}


def test_settings_nested_to_exhaust_the_stack_are_cut(client: FlaskClient, store: Store) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    store.create_run({"deep": deep}, name="deep")
    assert client.get("/api/runs/deep").status_code == 200
    assert client.get("/api/runs").status_code == 200


def test_plain_keeps_what_json_knows() -> None:
    value = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
    assert plain(value) == value


def test_the_form_has_every_setting_with_its_limits(client: FlaskClient) -> None:
    form = client.get("/api/form").json
    fields = {field["name"]: field for field in form["fields"]}
    assert list(fields) == [spec.name for spec in field_specs()]
    assert fields["epochs"]["kind"] == "int"
    assert fields["epochs"]["minimum"] == 1
    assert "digits" in fields["dataset"]["choices"]
    assert form["presets"]["demo"]["init_scale"] == 0.1


def test_problems_of_all_fields_come_at_once_each_by_its_field(owner: FlaskClient) -> None:
    config = {"epochs": "many", "lr": -1, "dataset": "digit", "colour": "red"}
    asked = owner.post("/api/validate", json={"config": config})
    started = owner.post("/api/runs", json={"config": config})
    assert (asked.status_code, started.status_code) == (200, 422)
    assert set(asked.json["problems"]) == {"epochs", "lr", "dataset", "colour"}
    assert "digits" in asked.json["problems"]["dataset"]
    assert started.json["problems"] == asked.json["problems"]


def test_text_from_a_form_is_read_as_on_the_shell(owner: FlaskClient) -> None:
    config = {"epochs": "3", "lr": "1e-2", "durable": "yes", "model": "mlp", "hidden": ["30", "20"], "layers": ["*"]}
    assert owner.post("/api/validate", json={"config": config}).json == {"problems": {}}


def test_a_model_that_does_not_fit_the_data_is_a_problem_of_the_model_field(owner: FlaskClient) -> None:
    answer = owner.post("/api/validate", json={"config": {"dataset": "digits", "model": "xord-net"}})
    assert "model" in answer.json["problems"]


@pytest.mark.parametrize("field", ["dataset", "model"])
def test_code_of_the_users_own_cannot_be_named_from_the_browser(
    owner: FlaskClient, store: Store, field: str
) -> None:
    answer = owner.post("/api/runs", json={"config": {field: "os:system"}})
    assert answer.status_code == 422
    assert "command line" in answer.json["problems"][field]
    assert store.runs() == []


@pytest.mark.parametrize("body", [[], "x", 3, {}, {"config": None}, {"config": []}, {"config": "lr=1"}])
def test_a_start_without_settings_is_refused(owner: FlaskClient, store: Store, body: object) -> None:
    assert owner.post("/api/runs", json=body).status_code == 400
    assert store.runs() == []


def test_a_start_makes_the_run_that_was_asked_for(owner: FlaskClient, store: Store, monkeypatch) -> None:
    monkeypatch.setattr(
        api, "launch", lambda store, config: store.create_run(config.to_dict(), name=config.title)
    )
    answer = owner.post("/api/runs", json={"config": {"name": "mine", "epochs": 3}})
    assert answer.status_code == 201
    assert answer.json == {"run": "mine"}
    assert store.run("mine").config["epochs"] == 3
    assert "mine" in owner.get("/api/poll").json["runs"]


def test_a_folder_that_cannot_be_written_is_said(owner: FlaskClient, store: Store) -> None:
    store.root.parent.mkdir(exist_ok=True)
    store.root.write_text("a file, no folder")
    answer = owner.post("/api/runs", json={"config": {}})
    assert answer.status_code == 409
    assert str(store.root) in answer.json["error"]


@pytest.mark.parametrize(
    ("state", "action"),
    [("done", "pause"), ("done", "stop"), ("done", "resume"), ("stopped", "pause"), ("failed", "stop")],
)
def test_an_action_that_the_status_does_not_allow_is_409_and_says_when_it_is(
    owner: FlaskClient, record, state: str, action: str
) -> None:
    record("one", state=state)
    answer = owner.post("/api/runs/one/control", json={"action": action})
    assert answer.status_code == 409
    assert state in answer.json["error"]
    assert "works while" in answer.json["do"]


def test_a_running_run_gets_the_request_and_cannot_be_deleted(owner: FlaskClient, store: Store, record) -> None:
    run_id = store.create_run({}, name="busy")
    with store.writer(run_id) as writer:
        writer.set_state("running")
        for action in ("pause", "stop"):
            assert owner.post(f"/api/runs/{run_id}/control", json={"action": action}).status_code == 200
        assert writer.requests() == ["pause", "stop"]
        writer.set_state("paused")
        assert owner.post(f"/api/runs/{run_id}/control", json={"action": "resume"}).status_code == 200
        assert writer.requests() == ["resume"]
        refused = owner.post(f"/api/runs/{run_id}/control", json={"action": "delete"})
        assert refused.status_code == 409
        writer.set_state("done")


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_stopped_run_is_resumed_by_a_new_worker(owner: FlaskClient, record, monkeypatch, state: str) -> None:
    started = []
    monkeypatch.setattr(control, "launch_resume", lambda store, run_id: started.append(run_id))
    record("one", state=state)
    assert owner.post("/api/runs/one/control", json={"action": "resume"}).json == {"run": "one"}
    assert started == ["one"]


def test_running_again_answers_the_new_run(owner: FlaskClient, record, monkeypatch) -> None:
    monkeypatch.setattr(control, "rerun", lambda store, run_id: "one-again")
    record("one")
    assert owner.post("/api/runs/one/control", json={"action": "rerun"}).json == {"run": "one-again"}


@pytest.mark.parametrize("action", ["resume", "rerun"])
def test_a_run_with_code_of_the_users_own_is_left_to_the_shell(owner: FlaskClient, record, action: str) -> None:
    record("one", state="stopped", model="mynets:big")
    answer = owner.post("/api/runs/one/control", json={"action": action})
    assert answer.status_code == 422
    assert "prunescope train --resume one" in answer.json["do"]


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "rerun"])
def test_a_run_recorded_elsewhere_cannot_be_steered_from_here(owner: FlaskClient, record, action: str) -> None:
    record("one", kind="record", state="stopped")
    answer = owner.post("/api/runs/one/control", json={"action": action})
    assert answer.status_code == 409
    assert "another program" in answer.json["error"]


def test_delete_can_be_undone(owner: FlaskClient, record) -> None:
    record("one")
    assert owner.post("/api/runs/one/control", json={"action": "delete"}).status_code == 200
    assert client_ids(owner) == []
    assert owner.post("/api/runs/one/control", json={"action": "restore"}).status_code == 200
    assert client_ids(owner) == ["one"]


@pytest.mark.parametrize("name", [None, "", "   ", 3, ["x"], {"a": 1}, "\u200b\x00"])
def test_a_name_that_is_none_is_refused(owner: FlaskClient, record, name: object) -> None:
    record("one")
    assert owner.post("/api/runs/one/control", json={"action": "rename", "name": name}).status_code in (400, 409)
    assert owner.get("/api/runs/one").json["name"] == "one"


@pytest.mark.parametrize("body", [[], {}, {"action": "explode"}, {"action": ["stop"]}, {"action": {}}])
def test_an_unknown_action_is_refused_with_the_known_ones(owner: FlaskClient, record, body: object) -> None:
    record("one")
    answer = owner.post("/api/runs/one/control", json=body)
    assert answer.status_code == 400
    assert "pause" in answer.json["do"]


@pytest.mark.parametrize("path", ["/api/nothing", "/api/runs/one/two/three"])
def test_an_unknown_address_below_api_is_404_and_no_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"


def test_an_error_that_nobody_foresaw_shows_no_traceback(owner: FlaskClient, store: Store, monkeypatch) -> None:
    monkeypatch.setattr(store, "runs", lambda: 1 / 0)
    answer = owner.get("/api/runs")
    assert answer.status_code == 500
    assert answer.json["value"] == "ZeroDivisionError"
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
