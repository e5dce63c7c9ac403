"""Name → network, and which of its modules have units. Importing this imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

from prunescope.engine.models.catalog import MODELS, ModelSpec, layer_names, model_problem, model_spec

if TYPE_CHECKING:
    from prunescope.engine.models.build import build_for as build_for
    from prunescope.engine.models.build import build_model as build_model
    from prunescope.engine.models.build import model_size as model_size
    from prunescope.engine.models.units import state_arrays as state_arrays
    from prunescope.engine.models.units import unit_layers as unit_layers
    from prunescope.engine.models.units import unit_modules as unit_modules
    from prunescope.engine.models.units import unwrapped as unwrapped
    from prunescope.engine.models.units import weight_vectors as weight_vectors

_HOMES = {
    "build_for": "build",
    "build_model": "build",
    "model_size": "build",
    "state_arrays": "units",
    "unit_layers": "units",
    "unit_modules": "units",
    "unwrapped": "units",
    "weight_vectors": "units",
}

__all__ = [
    "MODELS",
    "ModelSpec",
    "build_for",
    "build_model",
    "layer_names",
    "model_problem",
    "model_size",
    "model_spec",
    "state_arrays",
    "unit_layers",
    "unit_modules",
    "unwrapped",
    "weight_vectors",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
