"""Name → training and validation tensors in memory. Importing this imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

from prunescope.engine.data.catalog import CORRUPTIONS, DATASETS, DatasetSpec, dataset_problem, dataset_spec
from prunescope.engine.data.describe import describe_dataset
from prunescope.engine.data.places import default_data_dir

if TYPE_CHECKING:
    from prunescope.engine.data.dataset import Dataset as Dataset
    from prunescope.engine.data.load import load_dataset as load_dataset
    from prunescope.engine.data.load import load_for as load_for

_HOMES = {"Dataset": "dataset", "load_dataset": "load", "load_for": "load"}

__all__ = [
    "CORRUPTIONS",
    "DATASETS",
    "Dataset",
    "DatasetSpec",
    "dataset_problem",
    "dataset_spec",
    "default_data_dir",
    "describe_dataset",
    "load_dataset",
    "load_for",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
