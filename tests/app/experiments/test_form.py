"""The form of an experiment: refused with reasons at its fields, started in a process of its own."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prunescope.app import recipe_form
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments, experiment_id
from prunescope.engine.experiments.recipes import changed, read_recipe, recipe_names
from prunescope.engine.store import Store


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
