"""`module:callable`: the user's own data or model, named on the command line or in a config file.

Never reached from the browser or from a run folder: `RunConfig.from_dict` refuses such names
unless it is told that they come from the user's own shell.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PATTERN = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


def is_custom(name: str) -> bool:
    """Whether a name is meant as `module:callable`."""
    return ":" in name


def is_well_formed(name: str) -> bool:
    """Whether a name can be a `module:callable` at all; nothing is imported."""
    return _PATTERN.match(name) is not None


def load_callable(name: str) -> Callable[..., Any]:
    """Import what `module:callable` names, looking in the current folder too.

    Raises
    ------
    ValueError
        When the module or the callable is not there, saying which of the two.
    """
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    # The console script, unlike `python -m`, does not look in the current folder.
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        problem = f"{name}: no module named {error.name!r}. Run from its folder, or install it."
        raise ValueError(problem) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{name}: {module_name} has no {attribute!r}. Check its spelling.")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"{name}: {attribute} is {type(found).__name__}, not callable. Name a function.")
    function: Callable[..., Any] = found
    return function


def call_with(function: Callable[..., Any], offered: dict[str, Any]) -> Any:
    """Call a function with those of the offered arguments that it can take.

    So that `def net(): ...` and `def net(input_shape, n_classes): ...` both work.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return function(**offered)
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    return function(**{name: value for name, value in offered.items() if name in names})
