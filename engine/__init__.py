"""The engine: training, storing, measuring. Knows nothing of the web.

Names load on first use, because the dashboard imports the store and the geometry
from here and must answer before torch (3 s, 500 MB) could be imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig as RunConfig
    from prunescope.engine.recorder import Recorder as Recorder
    from prunescope.engine.store import Store as Store
    from prunescope.engine.training import train as train

_HOMES = {
    "Recorder": "prunescope.engine.recorder",
    "RunConfig": "prunescope.engine.config",
    "Store": "prunescope.engine.store",
    "train": "prunescope.engine.training",
}

__all__ = ["Recorder", "RunConfig", "Store", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
