"""`prunescope recipes`: the experiments that ship, or the text of one of them."""

import argparse

from prunescope.app.commands.common import OK, Problem, add_json, print_json
from prunescope.app.recipe_form import command_for
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.recipes import read_recipe, recipe_names, recipe_text


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("recipes", help="list the experiments that ship", description=__doc__)
    add_json(parser)
    parser.add_argument("name", nargs="?", metavar="RECIPE", help="print this one, to copy and change")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.name:
        try:
            print(recipe_text(options.name), end="")
        except ConfigError as error:
            raise Problem(str(error)) from None
        return OK
    described = [_described(name) for name in recipe_names()]
    if options.json:
        print_json(described)
        return OK
    width = max(len(recipe["name"]) for recipe in described)
    for recipe in described:
        print(f"{recipe['name']:{width}}  {recipe['command']:8}  {recipe['runs']:4} runs  {recipe['title']}")
        print(f"{'':{width}}  {recipe['paper']} ({recipe['scale']})")
    return OK


def _described(name: str) -> dict[str, object]:
    recipe = read_recipe(name)
    # A listing must not fail because a dataset is not there: how many runs follows from the recipe alone.
    cells = plan_cells(experiment_from(recipe, trusted=True))
    shown = {key: recipe.get(key, "") for key in ("kind", "title", "paper", "scale", "note")}
    return {"name": name, "command": command_for(recipe["kind"]), "runs": len(cells), **shown}
