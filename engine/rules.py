"""What must hold between the settings of a run, beyond what each field says of itself."""

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from prunescope.engine.custom import is_custom, load_callable
from prunescope.engine.data.catalog import dataset_problem, dataset_spec
from prunescope.engine.data.describe import describe_dataset, missing_files
from prunescope.engine.data.source import why_out_of_reach
from prunescope.engine.fields import ConfigError
from prunescope.engine.models.catalog import MODELS, layer_names, model_problem, model_spec

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig


class Rule(NamedTuple):
    """A check of one field that reads others too."""

    field: str
    reads: tuple[str, ...]
    problem: "Callable[[RunConfig], str | None]"


def problems_between(config: "RunConfig", unsound: set[str]) -> dict[str, str]:
    """Field → message for every broken rule, leaving out the rules that read an unsound field."""
    found: dict[str, str] = {}
    for rule in RULES:
        if not (unsound | found.keys()) & {rule.field, *rule.reads} and (message := rule.problem(config)):
            found[rule.field] = message
    return found


def check_fits(config: "RunConfig") -> None:
    """Refuse a model or a loss that does not fit the data, before anything starts.

    Looks at files where the data are the user's own folder, but loads nothing. A `module:callable`, which
    only the user's own shell can name, is imported and not called: the rest is left to `load_dataset` and
    `build_model`.

    Raises
    ------
    ConfigError
    """
    try:
        facts = describe_dataset(config)
        missing = () if config.download else missing_files(config)
    except (ValueError, OSError) as error:
        raise ConfigError({"data_dir" if config.dataset == "folder" else "dataset": str(error)}) from error
    problems = {
        field: problem for field in ("dataset", "model") if (problem := _own_code(getattr(config, field)))
    }
    if problem := _device(config):
        problems["device"] = problem
    if missing:
        names = ", ".join(path.name for path in missing)
        problems["download"] = (
            f"is off, and {config.dataset} is not in {missing[0].parent}: switch it on, or put there {names}."
        )
    if facts.input_shape and (problem := model_spec(config.model).accepts(facts.input_shape)):
        problems["model"] = f"{config.model} {problem}"
    # Where the loss follows from the model, the model is what has to change.
    if "model" not in problems and config.loss_name == "margin" and facts.n_classes not in (None, 2):
        problems["loss"] = (
            f"margin is for two classes, and {config.dataset} has {facts.n_classes}: take cross-entropy."
        )
    if problems:
        raise ConfigError(problems)


def check_within_reach(config: "RunConfig") -> None:
    """Refuse data that are not on this machine and cannot be fetched, before anything starts.

    The one check that asks the network, and only about a dataset that is missing: for the start of a run,
    not for every keystroke of a form. At most six seconds.

    Raises
    ------
    ConfigError
    """
    if problem := why_out_of_reach(config):
        raise ConfigError({"dataset": problem})


def _own_code(name: str) -> str | None:
    if not is_custom(name):
        return None
    try:
        load_callable(name)
    except ValueError as error:
        return str(error)
    except Exception as error:  # whatever the user's own module raises when it is imported
        return f"{name}: its import failed: {type(error).__name__}: {error}"
    return None


def _device(config: "RunConfig") -> str | None:
    """Without importing torch: what its build and this system rule out."""
    if config.device == "cuda" and version("torch").endswith("+cpu"):
        return "cuda: the PyTorch installed here was built for the CPU alone: take auto."
    if config.device == "mps" and sys.platform != "darwin":
        return "mps: only Macs have it: take auto."
    return None


def _hidden(config: "RunConfig") -> str | None:
    spec = model_spec(config.model)
    if not config.hidden or spec is not MODELS.get(config.model):
        return None
    if spec.hidden is None:
        return f"{list(config.hidden)} has no meaning for {config.model}, whose layers are fixed: use width."
    if spec.one_hidden and len(config.hidden) != 1:
        return f"{list(config.hidden)} has {len(config.hidden)} widths: {config.model} takes one, e.g. [120]."
    return None


def _batch_size(config: "RunConfig") -> str | None:
    if config.batch_size == 1 and model_spec(config.model).normalises:
        return f"1 is too small: {config.model} has BatchNorm, which compares at least 2 examples a step."
    return None


def _warmup(config: "RunConfig") -> str | None:
    if config.warmup_epochs > config.epochs:
        return f"{config.warmup_epochs:g} is longer than the {config.epochs} epochs of training: shorten it."
    return None


def _steps(config: "RunConfig") -> str | None:
    steps = config.step_epochs
    if any(later <= earlier for earlier, later in zip((0, *steps), steps, strict=False)):
        return f"{list(steps)} does not rise from 1 on: write it like [30, 60]."
    if steps and steps[-1] > config.epochs:
        return f"{steps[-1]} lies after the last epoch, {config.epochs}: take a smaller one."
    return None


def _data_dir(config: "RunConfig") -> str | None:
    if config.dataset == "folder" and not config.data_dir:
        return "is empty: give the folder that holds a folder of images for each class."
    return None


def _only_images(config: "RunConfig", value: object) -> str | None:
    if dataset_spec(config.dataset).images:
        return None
    return f"{value!r} needs images, and {config.dataset} has none: leave it at its default."


def _layers(config: "RunConfig") -> str | None:
    if not config.layers:
        return 'is empty: name the layers to record, or "*" for all.'
    return None


def _layers_there(config: "RunConfig") -> str | None:
    """Only making a net of one's own tells its layers: then the training says it."""
    names = layer_names(config.model, config.hidden)
    if names and not any(fnmatchcase(name, glob) for name in names for glob in config.layers):
        return f"{', '.join(config.layers)} matches no layer of {config.model}, which has {', '.join(names)}."
    return None


RULES = (
    Rule("dataset", (), lambda config: dataset_problem(config.dataset)),
    Rule("model", (), lambda config: model_problem(config.model)),
    Rule("hidden", ("model",), _hidden),
    Rule("batch_size", ("model",), _batch_size),
    Rule("warmup_epochs", ("epochs",), _warmup),
    Rule("step_epochs", ("epochs",), _steps),
    Rule("data_dir", ("dataset",), _data_dir),
    Rule("layers", (), _layers),
    Rule("layers", ("model", "hidden"), _layers_there),
    Rule(
        "image_size",
        ("dataset",),
        lambda config: _only_images(config, config.image_size) if config.image_size else None,
    ),
    Rule(
        "corruption",
        ("dataset",),
        lambda config: _only_images(config, config.corruption) if config.corruption != "none" else None,
    ),
)
