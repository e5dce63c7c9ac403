"""Training: one loop, optimisers, schedules, checkpoints, resume.

Names load on first use: the worker needs `control` before it imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunescope.engine.training.journal import Diverged as Diverged
    from prunescope.engine.training.session import train as train
    from prunescope.engine.training.session import train_run as train_run

_HOMES = {"Diverged": "journal", "train": "session", "train_run": "session"}

__all__ = ["Diverged", "train", "train_run"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
