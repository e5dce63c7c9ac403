"""Pruning: which units could go, and what the network is worth without them.

Names load on first use: the criteria, the ranking of plain arrays and the interval need no torch, so that
the dashboard can show them before torch (3 s, 500 MB) could be imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunescope.engine.pruning.criteria import CRITERIA as CRITERIA
    from prunescope.engine.pruning.criteria import Criterion as Criterion
    from prunescope.engine.pruning.criteria import criterion_named as criterion_named
    from prunescope.engine.pruning.curves import Ablation as Ablation
    from prunescope.engine.pruning.curves import Curve as Curve
    from prunescope.engine.pruning.curves import Measured as Measured
    from prunescope.engine.pruning.curves import accuracy_curve as accuracy_curve
    from prunescope.engine.pruning.curves import accuracy_of as accuracy_of
    from prunescope.engine.pruning.curves import global_curve as global_curve
    from prunescope.engine.pruning.curves import unit_ablation as unit_ablation
    from prunescope.engine.pruning.errors import PruningError as PruningError
    from prunescope.engine.pruning.flow import Network as Network
    from prunescope.engine.pruning.flow import trace as trace
    from prunescope.engine.pruning.interval import wilson_interval as wilson_interval
    from prunescope.engine.pruning.masks import mask_json as mask_json
    from prunescope.engine.pruning.masks import mask_state_dict as mask_state_dict
    from prunescope.engine.pruning.masks import mask_units as mask_units
    from prunescope.engine.pruning.masks import masked as masked
    from prunescope.engine.pruning.masks import save_mask as save_mask
    from prunescope.engine.pruning.ranking import global_order as global_order
    from prunescope.engine.pruning.ranking import rank_units as rank_units
    from prunescope.engine.pruning.removal import group_of as group_of
    from prunescope.engine.pruning.removal import remove as remove
    from prunescope.engine.pruning.removal import remove_units as remove_units
    from prunescope.engine.pruning.scores import rank_weights as rank_weights
    from prunescope.engine.pruning.sizes import Sizes as Sizes
    from prunescope.engine.pruning.sizes import measure_size as measure_size
    from prunescope.engine.pruning.sizes import summary as summary
    from prunescope.engine.pruning.stream import PartialAblation as PartialAblation
    from prunescope.engine.pruning.stream import PartialCurve as PartialCurve
    from prunescope.engine.pruning.stream import stream_ablation as stream_ablation
    from prunescope.engine.pruning.stream import stream_curve as stream_curve
    from prunescope.engine.pruning.stream import stream_global_curve as stream_global_curve

_HOMES = {
    "CRITERIA": "criteria",
    "Ablation": "curves",
    "Criterion": "criteria",
    "Curve": "curves",
    "Measured": "curves",
    "Network": "flow",
    "PartialAblation": "stream",
    "PartialCurve": "stream",
    "PruningError": "errors",
    "Sizes": "sizes",
    "accuracy_curve": "curves",
    "accuracy_of": "curves",
    "criterion_named": "criteria",
    "global_curve": "curves",
    "global_order": "ranking",
    "group_of": "removal",
    "mask_json": "masks",
    "mask_state_dict": "masks",
    "mask_units": "masks",
    "masked": "masks",
    "measure_size": "sizes",
    "rank_units": "ranking",
    "rank_weights": "scores",
    "remove": "removal",
    "remove_units": "removal",
    "save_mask": "masks",
    "stream_ablation": "stream",
    "stream_curve": "stream",
    "stream_global_curve": "stream",
    "summary": "sizes",
    "trace": "flow",
    "unit_ablation": "curves",
    "wilson_interval": "interval",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
