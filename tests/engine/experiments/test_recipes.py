"""Every recipe that ships is sound, says where it comes from, and is in the wheel."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from prunescope.engine.config import ConfigError, RunConfig
from prunescope.engine.experiments import estimate
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.estimate import disk_bytes
from prunescope.engine.experiments.recipes import changed, read_recipe, recipe_names, toml_of
from prunescope.engine.experiments.specs import KINDS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_sound_and_says_what_it_is(name):
    recipe = read_recipe(name)
    experiment = experiment_from(recipe)
    assert experiment.name == name
    assert all(recipe[text] for text in ("title", "paper", "scale", "note"))
    assert (experiment.scale == "the paper's") == name.endswith("-paper")
    cells = plan_cells(experiment)
    assert len({cell.key for cell in cells}) == len(cells)
    # The experiment's id, a dot and the key make a run's id of at most 64 characters.
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,25}", cell.key) for cell in cells)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.endswith("-paper")])
def test_what_a_paper_needs_of_the_disk_is_told_beforehand(name):
    """At least a snapshot of the smallest net for each run; the net is never made."""
    cells = plan_cells(experiment_from(read_recipe(name)))
    assert disk_bytes(cells) > 100_000 * len(cells)


def test_the_time_of_an_experiment_is_measured_steps_times_their_number(monkeypatch):
    """Digits: 1,400 examples in batches of 56 are 25 steps; judging 397 costs 397/56/3 more. Worked by hand."""
    monkeypatch.setattr(estimate, "step_seconds", lambda *_: 0.01)
    cells = plan_cells(experiment_from(changed(read_recipe("digits-schedule"), ["seeds=[0]", "run.epochs=16"])))
    assert len(cells) == 7
    assert estimate.seconds_needed(cells) == pytest.approx(7 * 16 * 0.01 * (25 + 397 / 56 / 3))
    monkeypatch.undo()
    config = RunConfig.from_dict(cells[0].config)
    assert 0 < estimate.step_seconds(config, (1, 8, 8), 10, 56) < 10
    assert estimate.seconds_needed(plan_cells(experiment_from({"kind": "sweep", "name": "x", "run": {"dataset": "xord",
        "model": "mlp"}, "sweep": {"grid": {"lr": [0.1]}}}))) is None  # fmt: skip


def test_a_value_is_written_so_that_it_is_read_back():
    value = {"hidden": [[8], [16]], "layer_rates": {"conv*": 0.5, "a b": 0}, "name": 'a "b"', "on": True, "lr": 1e-05}
    assert tomllib.loads(f"x = {toml_of(value)}")["x"] == value


def test_there_is_a_recipe_of_each_kind_that_needs_no_download():
    kinds = {read_recipe(name)["kind"] for name in recipe_names() if name.startswith("digits-")}
    assert kinds == set(KINDS)


def test_an_experiment_comes_back_from_its_own_json():
    for name in recipe_names():
        experiment = experiment_from(read_recipe(name))
        assert experiment_from(experiment.to_dict()) == experiment


def test_single_values_are_changed_in_the_spelling_of_toml():
    recipe = {"seeds": [0], "run": {"lr": 0.1}}
    found = changed(recipe, ["seeds=[1,2]", "run.lr=0.5", "run.model=mlp", "tickets.rate=0.3"])
    assert found == {"seeds": [1, 2], "run": {"lr": 0.5, "model": "mlp"}, "tickets": {"rate": 0.3}}
    assert recipe == {"seeds": [0], "run": {"lr": 0.1}}
    with pytest.raises(ConfigError, match="is not place=value"):
        changed(recipe, ["epochs"])
    with pytest.raises(ConfigError, match="seeds is a value"):
        changed(recipe, ["seeds.x=1"])


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'digits-lenet'"):
        read_recipe("digit-lenet")


def test_a_recipe_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('kind = "sweep"\nname = "mine"\n[sweep.grid]\nlr = [0.1]\n')
    assert experiment_from(read_recipe(str(path))).plan.grid == {"lr": [0.1]}
    path.write_text("kind = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_recipe(str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(str(tmp_path / "none.toml"))


def test_planning_and_summaries_import_no_torch():
    code = (
        "import sys\n"
        "from prunescope.engine.experiments import cells, checks, folder, head, recipes, report, summary, supervisor\n"
        "[checks.experiment_from(recipes.read_recipe(n)) for n in recipes.recipe_names()]\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "assert not any(m.startswith(('dash', 'plotly', 'prunescope.app')) for m in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_wheel_holds_every_recipe(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path), "."]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    if made.returncode and "setuptools" in made.stderr:
        pytest.skip("setuptools is not installed here")
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {
            Path(name).stem for name in archive.namelist() if name.startswith("prunescope/engine/experiments/recipes/")
        }
    assert inside == set(recipe_names())
