"""Before an experiment begins: whether the data of all its runs can be had. Imports no torch."""

from prunescope.engine.config import ConfigError, RunConfig, check_within_reach
from prunescope.engine.experiments.cells import plan_cells
from prunescope.engine.experiments.specs import Experiment

_PLACE = ("dataset", "data_dir", "download")


def check_data_within_reach(experiment: Experiment) -> None:
    """Refuse to begin where a dataset of some run is neither here nor to be fetched; asks about each once.

    Raises
    ------
    ConfigError
    """
    places = [{key: cell.config[key] for key in _PLACE if key in cell.config} for cell in plan_cells(experiment)]
    for place in {repr(place): place for place in places}.values():
        # Only which data: its names were checked when the experiment was read.
        if place.get("dataset") == "folder":
            continue
        try:
            check_within_reach(RunConfig.from_dict(place, trusted=True))
        except ConfigError as error:
            raise ConfigError({f"run.{key}": message for key, message in error.problems.items()}) from None
