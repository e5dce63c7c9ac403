"""A checkpoint holds all that the rest of a training depends on, so that resuming is exact to the bit.

Leave one part out and the resumed run differs: a test does so with each.
"""

import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from prunescope.engine.training.job import Job
from prunescope.engine.training.masking import set_masks

FORMAT = 2


class CheckpointError(Exception):
    """A checkpoint that does not belong to this run or this version."""


@dataclass(frozen=True)
class Part:
    """One part of the state: how it is read from a job, and put back."""

    read: Callable[[Job], Any]
    restore: Callable[[Job, Any], None]


def _copy_into(tensors: Mapping[str, torch.Tensor], saved: Mapping[str, torch.Tensor]) -> None:
    if tensors.keys() != saved.keys():
        odd = sorted(tensors.keys() ^ saved.keys())
        raise CheckpointError(
            f"checkpoint and model differ in {odd}. Resume with the code that began the run, or run it again."
        )
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(saved[name])


def _restore_schedule(job: Job, step: int) -> None:
    job.step = step


def _read_numpy(job: Job) -> dict[str, Any]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the global state is what foreign code uses
    # Plain lists and numbers: weights_only refuses arrays of numpy.
    inner = {"key": state["state"]["key"].tolist(), "pos": int(state["state"]["pos"])}
    return {**state, "state": inner, "has_gauss": int(state["has_gauss"]), "gauss": float(state["gauss"])}


def _restore_numpy(job: Job, state: dict[str, Any]) -> None:
    key = np.array(state["state"]["key"], dtype=np.uint32)
    np.random.set_state({**state, "state": {**state["state"], "key": key}})  # noqa: NPY002


def _restore_python(job: Job, state: tuple[Any, ...]) -> None:
    random.setstate(state)


def _read_torch(job: Job) -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if job.device.type == "cuda" else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_torch(job: Job, state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def _restore_outputs(job: Job, outputs: list[torch.Tensor]) -> None:
    job.outputs = [output.to(job.device) for output in outputs]


PARTS: dict[str, Part] = {
    "weights": Part(
        lambda job: dict(job.model.named_parameters()),
        lambda job, saved: _copy_into(dict(job.model.named_parameters()), saved),
    ),
    # BatchNorm's running statistics; those that a state dict leaves out are kept as well.
    "buffers": Part(
        lambda job: dict(job.model.named_buffers()),
        lambda job, saved: _copy_into(dict(job.model.named_buffers()), saved),
    ),
    "optimizer": Part(
        lambda job: job.optimizer.state_dict(), lambda job, saved: job.optimizer.load_state_dict(saved)
    ),
    # The learning rate is a function of the step, so the step is the whole state of the schedule.
    "schedule": Part(lambda job: job.step, _restore_schedule),
    "order": Part(lambda job: job.order.state, lambda job, saved: job.order.begin(saved)),
    "torch": Part(_read_torch, _restore_torch),
    "numpy": Part(_read_numpy, _restore_numpy),
    "python": Part(lambda job: random.getstate(), _restore_python),
    # Behind the weights: a mask that is put on brings them to zero.
    "masks": Part(lambda job: dict(job.masks), set_masks),
    # Inside an epoch: one tensor per batch seen, from which the epoch's training metrics will come.
    "outputs": Part(lambda job: list(job.outputs), _restore_outputs),
}


def to_bytes(job: Job) -> bytes:
    """The whole state of a job, readable with ``weights_only=True``."""
    parts = {name: part.read(job) for name, part in PARTS.items()}
    buffer = io.BytesIO()
    around = {"threads": torch.get_num_threads(), "torch": str(torch.__version__)}
    torch.save({"format": FORMAT, **around, "parts": parts}, buffer)
    return buffer.getvalue()


def from_bytes(job: Job, payload: bytes) -> str:
    """Put a saved state into a fresh job of the same config.

    The number of threads is part of it: sums split among other numbers of threads
    round differently.

    Returns
    -------
    str
        The version of torch that saved it: another one may round differently.

    Raises
    ------
    CheckpointError
        When the checkpoint is of another format or of another model, or would run code.
    """
    try:
        saved = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # a stranger's may hold anything
        raise CheckpointError(
            f"the checkpoint holds something else than tensors and numbers, so it is not read "
            f"({type(error).__name__}). Run it again instead."
        ) from error
    if saved["format"] != FORMAT:
        raise CheckpointError(
            f"checkpoint has format {saved['format']}, this version reads {FORMAT}. "
            "Resume with the version that began the run, or run it again."
        )
    torch.set_num_threads(saved["threads"])
    for name, part in PARTS.items():
        part.restore(job, saved["parts"][name])
    return str(saved.get("torch", torch.__version__))
