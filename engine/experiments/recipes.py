"""Recipes: experiments in TOML files, shipped with the package or the user's own. Imports no torch."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from prunescope.engine.config import ConfigError
from prunescope.engine.fields import unknown_name

_FOLDER = files("prunescope.engine.experiments") / "recipes"


def recipe_names() -> list[str]:
    """Names of the recipes that ship, those for this machine's scale first."""
    names = [entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml")]
    return sorted(names, key=lambda name: (name.endswith("-paper"), name))


def read_recipe(name: str) -> dict[str, Any]:
    """A recipe by name, or a file of one's own by path.

    Raises
    ------
    ConfigError
        If there is neither, or it is no TOML.
    """
    try:
        return tomllib.loads(recipe_text(name))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError({"recipe": f"{name} is not valid TOML: {error}. Write lines like: rate = 0.2"}) from error


def recipe_text(name: str) -> str:
    """The TOML of a recipe that ships, or of a file of one's own.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    path = Path(name)
    if name not in recipe_names() and path.suffix != ".toml":
        raise ConfigError({"recipe": f"{unknown_name(name, recipe_names())} Or give a file: my-recipe.toml."})
    try:
        return path.read_text("utf-8") if path.suffix == ".toml" else (_FOLDER / f"{name}.toml").read_text("utf-8")
    except OSError as error:
        raise ConfigError({"recipe": f"{name} cannot be read ({error.strerror})."}) from error
    except UnicodeDecodeError as error:
        raise ConfigError({"recipe": f"{name} is not text in UTF-8: save it so."}) from error


def changed(recipe: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """A recipe with single values changed by ``place.name=value``, the value in TOML's spelling.

    ``tickets.rate=0.5``, ``run.epochs=3``, ``seeds=[0,1]``; a word without quotes is a text.

    Raises
    ------
    ConfigError
        For a change that is not of that form.
    """
    result: dict[str, Any] = {key: dict(v) if isinstance(v, Mapping) else v for key, v in recipe.items()}
    for change in changes:
        place, equals, text = change.partition("=")
        if not equals or not place.strip():
            raise ConfigError({"set": f"{change!r} is not place=value: write run.epochs=3."})
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *tables, name = place.strip().split(".")
        inner = result
        for table in tables:
            inner = inner.setdefault(table, {})
            if not isinstance(inner, dict):
                raise ConfigError({"set": f"{change!r}: {table} is a value, not a table."})
        inner[name] = value
    return result


def toml_of(value: Any) -> str:
    """A value in TOML's spelling, on one line; `changed` reads it back.

    Lists, texts, numbers and truth values are written as JSON writes them.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {toml_of(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)
