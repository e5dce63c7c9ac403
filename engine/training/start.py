"""What a run starts from besides its settings: weights, masks, the state of another run at some step.

Kept in the run's own folder, so that a copied or resumed run needs nothing else, and whoever
resumes it (shell, page, queue) trains under the same masks. Reading it imports no torch.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import RunDamaged, StoreError, files, records

FILE = "start.data"
KEPT = "kept"
_FACTS, _STATE = "facts", "state"


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """One removal during training.

    Attributes
    ----------
    step : before this update
    removed : layer → how many of its entries are gone afterwards, earlier removals included
    structure : "weights" or "units"
    select : which go, a key of `experiments.masks.SELECTIONS`
    seed : of a random choice
    """

    step: int
    removed: Mapping[str, int]
    structure: str
    select: str
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a run begins.

    Attributes
    ----------
    weights : state-dict name → values; tensors not named keep the initialisation
    masks : parameter name → True where kept; held at zero elsewhere during the whole training
    state : a whole training state (weights, optimiser, data order, random numbers), as `to_bytes` gives
    step : updates done at the start; 0 unless `state` says otherwise
    keep : steps at which this run's own state is to be kept for others
    prunings : removals during training, in order of their steps
    facts : JSON for readers: experiment, arm, level, …
    """

    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    state: bytes | None = None
    step: int = 0
    keep: tuple[int, ...] = ()
    prunings: tuple[Pruning, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_start(folder: Path, start: Start) -> None:
    """Put a start into a run folder, whole or not at all; an existing one is replaced."""
    described = {
        "step": start.step,
        "keep": list(start.keep),
        "prunings": [vars(pruning) | {"removed": dict(pruning.removed)} for pruning in start.prunings],
        "facts": dict(start.facts),
    }
    text = json.dumps(described).encode()
    arrays: dict[str, NDArray[Any]] = {_FACTS: np.frombuffer(text, np.uint8)}
    arrays |= {f"weights/{name}": array for name, array in start.weights.items()}
    arrays |= {f"masks/{name}": np.asarray(array, np.uint8) for name, array in start.masks.items()}
    if start.state is not None:
        arrays[_STATE] = np.frombuffer(start.state, np.uint8)
    files.replace(folder / FILE, records.pack_bundle(arrays, records.NO_EPOCH).parts)


def read_start(folder: Path) -> Start | None:
    """The start of a run, or None: a run that begins at its initialisation.

    Raises
    ------
    RunDamaged
        If the file is not what `write_start` wrote.
    """
    try:
        handle = files.open_regular(folder / FILE)
    except FileNotFoundError:
        return None
    what = f"{folder.name}/{FILE}"
    with os.fdopen(handle, "rb") as file:
        data = records.read_file(file, os.fstat(handle).st_size, what)
    arrays, _ = records.unpack_bundle(data, what, records.NO_EPOCH)
    try:
        described = json.loads(arrays[_FACTS].tobytes())
        return Start(
            weights=_below("weights/", arrays),
            masks={name: array.astype(bool) for name, array in _below("masks/", arrays).items()},
            state=arrays[_STATE].tobytes() if _STATE in arrays else None,
            step=int(described["step"]),
            keep=tuple(int(step) for step in described["keep"]),
            prunings=tuple(Pruning(**values) for values in described["prunings"]),
            facts=dict(described["facts"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunDamaged(f"{what}: not the start of a run ({error})") from None


def kept_path(folder: Path, step: int) -> Path:
    """Where the state after `step` updates is kept."""
    return folder / KEPT / f"{step:012d}.state"


def keep_state(folder: Path, step: int, payload: bytes) -> None:
    """Keep a training state for runs that will start from it; a second time does nothing."""
    path = kept_path(folder, step)
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    record = records.pack_bundle({_STATE: np.frombuffer(payload, np.uint8)}, records.NO_EPOCH)
    files.replace(path, record.parts, durable=True)


def read_kept(folder: Path, step: int) -> bytes:
    """The state kept after `step` updates.

    Raises
    ------
    StoreError
        If there is none, listing those there are.
    """
    path = kept_path(folder, step)
    try:
        handle = files.open_regular(path)
    except FileNotFoundError:
        there = sorted(int(other.stem) for other in path.parent.glob("*.state")) if path.parent.exists() else []
        raise StoreError(f"{folder.name}: no state kept at step {step}; there are {there or 'none'}.") from None
    what = f"{folder.name}/{KEPT}/{path.name}"
    with os.fdopen(handle, "rb") as file:
        data = records.read_file(file, os.fstat(handle).st_size, what)
    arrays, _ = records.unpack_bundle(data, what, records.NO_EPOCH)
    if set(arrays) != {_STATE}:
        raise RunDamaged(f"{what}: holds {sorted(arrays)}, not a training state")
    return arrays[_STATE].tobytes()


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
