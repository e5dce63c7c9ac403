"""Numbers of finished runs, worked by hand; spreads; the report."""

import base64
import csv
import json
import math
import re

import numpy as np
import pytest
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.report import as_json, write_report
from prunescope.engine.experiments.results import early_stop, two_layer_measures
from prunescope.engine.experiments.summary import accuracy_curve_of, config_differences, spread


def test_early_stop_is_the_first_moment_of_the_least_validation_loss():
    losses, accuracies = np.array([2.0, 0.5, 0.5, 0.9]), np.array([0.1, 0.8, 0.85, 0.9])
    assert early_stop(np.array([0.0, 0.5, 1.0, 2.0]), losses, accuracies, 100) == (50, 0.8)


def test_measures_of_two_layers_by_hand():
    initial = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = two_layer_measures(initial, np.array([[1.0, 3.0], [0.0, 1.0]]), np.array([[3.0, 1.0], [4.0, 0.0]]))
    assert found.capacities.tolist() == [3.0, 0.0]
    assert found.impacts.tolist() == [5.0, 1.0]
    assert (found.distance, found.norm) == (3.0, pytest.approx(math.sqrt(11)))
    assert found.angle == pytest.approx(math.degrees(math.acos(2 / math.sqrt(2 * 11))))


def test_spread_is_the_mean_and_the_sample_deviation():
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0, 3)
    assert spread([5.0])[::2] == (5.0, 1)
    assert math.isnan(spread([5.0]).sd)


def test_settings_that_differ_are_named_with_their_values():
    assert config_differences([{"lr": 1, "seed": 0}, {"lr": 1, "seed": 1}, {"lr": 1}]) == {"seed": [0, 1, None]}


def test_the_curve_of_an_arm_begins_at_the_dense_net(compute):
    summary = compute("tickets", {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket", "reinit"]}, seeds=[0, 1])
    curve = accuracy_curve_of(summary, "ticket")
    assert [remaining for remaining, _ in curve] == pytest.approx([1, 492 / 944, 261 / 944])
    assert {value.n for _, value in curve} == {2}


def test_the_report_holds_tables_settings_versions_seeds_and_the_command(compute, store, tmp_path):
    summary = compute("tickets", {"levels": 1, "arms": ["dense", "ticket", "reinit"]}, seeds=[0, 1])
    described = Experiments(store).open(summary.id)
    page = write_report(store, described, tmp_path / "report").read_text()
    assert "<script" not in page
    assert "http" not in page
    for wanted in ("±", "2 of 2", "torch", "Overlap of the masks", "rate = 0.2", "Repeat it"):
        assert wanted in page
    rows = list(csv.DictReader((tmp_path / "report" / "groups.csv").read_text().splitlines()))
    assert [row["arm"] for row in rows] == ["dense", "ticket", "reinit"]
    assert float(rows[1]["accuracy mean"]) == pytest.approx(summary.groups[1].values["accuracy"].mean)
    runs = list(csv.DictReader((tmp_path / "report" / "runs.csv").read_text().splitlines()))
    assert [row["state"] for row in runs] == ["done"] * 6
    # What was asked can be asked again.
    recipe = json.loads((tmp_path / "report" / "experiment.json").read_text())
    from prunescope.engine.experiments.checks import experiment_from

    assert experiment_from(recipe) == described.experiment
    from prunescope.engine.experiments.recipes import read_recipe

    assert experiment_from(read_recipe(str(tmp_path / "report" / "recipe.toml"))) == described.experiment
    # The page alone is the whole report.
    inside = re.findall(r'download="([a-z.]+)" href="data:text/plain;base64,([^"]*)"', page)
    assert {name: base64.b64decode(text).decode() for name, text in inside} == {
        name: (tmp_path / "report" / name).read_text() for name in ("groups.csv", "runs.csv", "experiment.json", "recipe.toml")
    }


def test_a_report_of_an_experiment_that_has_not_begun_says_so(make, store, tmp_path):
    described = make("sweep", {"grid": {"lr": [0.1]}}, title="<b>bold</b> & co")
    page = write_report(store, described, tmp_path).read_text()
    assert "1 queued" in page
    assert "<b>bold" not in page


def test_a_summary_goes_through_json(compute):
    from prunescope.app.wire import plain

    summary = compute("sweep", {"grid": {"epochs": [1]}, "measures": ["neyshabur"]}, run={"hidden": [4]})
    values = json.loads(json.dumps(plain(as_json(summary)), allow_nan=False))
    assert values["groups"][0]["values"]["hidden"] == {"mean": 4.0, "sd": None, "n": 1}
    assert values["runs"][0]["state"] == "done"
