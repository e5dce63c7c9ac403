"""Every recipe that ships is sound, says where it comes from, and is in the wheel."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.recipes import changed, read_recipe, recipe_names
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
