"""`prunescope import`: make a run of checkpoints that another program has saved, or take in an exported run.

A .zip that `prunescope export RUN --format zip` has written is placed among the runs as it is.

Files are read as tensors only (weights_only=True), so that a stranger's checkpoint runs no code.
Where the file names differ in one number alone, that number is the epoch; else they are epochs 1, 2, … in
natural order.
"""

import argparse
import glob
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunescope.app.commands.common import OK, Problem, add_json, add_logdir, print_json
from prunescope.engine.custom import call_with, is_well_formed, load_callable
from prunescope.engine.store import Store, StoreError

if TYPE_CHECKING:
    from torch import nn

_NUMBER = re.compile(r"(\d+)")
# Where training programs put the weights inside a checkpoint that holds more.
_WEIGHT_KEYS = ("state_dict", "model_state_dict", "model", "net", "weights")
# What wrappers (DataParallel, torch.compile) put before every name.
_PREFIXES = ("module.", "_orig_mod.")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("import", help="make a run of saved checkpoints", description=__doc__)
    parser.add_argument("patterns", metavar="FILES", nargs="+", help="files or patterns, e.g. 'ckpts/*.pt'")
    parser.add_argument(
        "--model", metavar="MODULE:CALLABLE", help="makes the network, without arguments; not needed for a .zip"
    )
    parser.add_argument("--name", help="of the run (default: the name of the files' folder)")
    parser.add_argument("--layers", default="*", help="names or patterns of the layers, e.g. 'conv*,fc1'")
    add_logdir(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Import; 2 when the files or the model do not make a run, 1 when writing fails midway."""
    files = find_files(options.patterns)
    if all(path.suffix.lower() == ".zip" for path in files):
        return _unpack(options, files)
    if options.model is None or not is_well_formed(options.model):
        raise Problem(f"--model {options.model!r} is not module:callable. Write e.g. mynets:resnet.")
    epochs = epochs_of(files)
    try:
        model = call_with(load_callable(options.model), {})
    except (ValueError, TypeError) as error:
        raise Problem(f"--model {error}") from None
    globs = [part.strip() for part in options.layers.split(",") if part.strip()]
    # Before a run is made: the first file shows whether the model is the right one.
    load_into(model, files[0])
    name = options.name or files[0].absolute().parent.name
    run_id = _record(Store(options.logdir), model, files, epochs, globs, name=name, model_name=options.model)
    print_json({"run": run_id, "snapshots": len(files)}) if options.json else print(run_id)
    return OK


def _unpack(options: argparse.Namespace, files: list[Path]) -> int:
    from prunescope.app.exporting import archive
    from prunescope.app.exporting.collect import ExportError

    placed = []
    for path in files:
        try:
            placed.append(archive.unpack(Store(options.logdir), path))
        except ExportError as error:
            raise Problem(str(error), Problem.FAILED) from None
    print_json({"runs": placed}) if options.json else print(*placed, sep="\n")
    return OK


def find_files(patterns: list[str]) -> list[Path]:
    """Return the files that match, each once, in natural order (epoch2 before epoch10)."""
    # Not Path.glob: that refuses absolute patterns.
    found = {Path(name) for pattern in patterns for name in glob.glob(pattern, recursive=True)}  # noqa: PTH207
    files = sorted((path for path in found if path.is_file()), key=lambda path: natural_key(str(path)))
    if not files:
        raise Problem(f"no file matches {' '.join(patterns)}. Patterns start from the current folder.")
    return files


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key in which numbers inside a name count as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _NUMBER.split(text) if part]


def epochs_of(files: list[Path]) -> list[float]:
    """Return the epoch of each file (see the module's text)."""
    parts = [_NUMBER.split(path.name) for path in files]
    if len({len(part) for part in parts}) == 1:
        differing = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
        if len(differing) == 1 and all(text.isdigit() for text in differing[0]):
            numbers = [float(text) for text in differing[0]]
            if numbers == sorted(set(numbers)):
                return numbers
    return [float(index) for index in range(1, len(files) + 1)]


def load_into(model: "nn.Module", path: Path) -> None:
    """Load a checkpoint's weights into `model`; Problem if they are not its weights."""
    import torch

    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # What torch raises for a broken file is its own affair; every cause has the same remedy.
        raise Problem(
            f"{path}: cannot be read as tensors alone ({type(error).__name__}). "
            "Save it with torch.save(model.state_dict(), …) and import that."
        ) from None
    try:
        model.load_state_dict(weights_in(payload, path))
    except RuntimeError as error:
        raise Problem(f"{path}: does not fit the model: {' '.join(str(error).split())[:400]}") from None


def weights_in(payload: Any, path: Path) -> dict[str, Any]:
    """Return the state dict inside a checkpoint, with the names that the bare model knows."""
    import torch

    for key in _WEIGHT_KEYS:
        if isinstance(payload, Mapping) and isinstance(payload.get(key), Mapping):
            payload = payload[key]
    values = payload.values() if isinstance(payload, Mapping) else ()
    if not any(isinstance(value, torch.Tensor) for value in values):
        raise Problem(f"{path}: holds no state dict. Save it with torch.save(model.state_dict(), …).")
    state = dict(payload)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _record(
    store: Store,
    model: "nn.Module",
    files: list[Path],
    epochs: list[float],
    globs: list[str],
    *,
    name: str,
    model_name: str,
) -> str:
    from prunescope.engine.models import state_arrays, unit_layers

    try:
        layers = unit_layers(model, globs)
    except ValueError as error:
        raise Problem(f"--{error}") from None
    try:
        config = {"model": model_name, "files": [str(path) for path in files]}
        run_id = store.create_run(config, name=name, kind="import")
        with store.writer(run_id) as writer:
            writer.declare(layers, total_epochs=epochs[-1])
            writer.set_state("running", "importing")
            for path, epoch in zip(files, epochs, strict=True):
                load_into(model, path)
                writer.commit(epoch, state_arrays(model), {})
                print(f"{path} → epoch {epoch:g}", file=sys.stderr, flush=True)
            writer.set_state("done")
    except StoreError as error:
        raise Problem(f"the import stopped: {error}", Problem.FAILED) from None
    return run_id
