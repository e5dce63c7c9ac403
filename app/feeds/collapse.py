"""Neural collapse of the last layer over epochs, measured on training examples."""

from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.figures import collapse as figures
from prunescope.app.figures.pieces import wrapped
from prunescope.engine.geometry import NeuralCollapse
from prunescope.engine.store import Run


class CollapseFeed:
    """NC1–NC4, one row an epoch."""

    measured = True
    ahead = True
    keys: tuple[str, ...] = ()

    def begin(self, run: Run, view: dict[str, Any]) -> dict[str, str]:
        return {}

    def settled(self, memory: dict[str, str]) -> dict[str, Any]:
        return {}

    def row(self, run: Run, memory: dict[str, str], index: int, epoch: float, evaluator: Evaluator) -> dict[str, Any]:
        nothing = dict.fromkeys(NeuralCollapse._fields)
        found: dict[str, Any] = nothing
        if "problem" not in memory:
            try:
                *_, found = evaluator.ask("collapse", priority=4, run=run.id, epoch=epoch)
            except ValueError as problem:
                # Not every network has a last layer that can collapse: the figures say so, the page goes on.
                memory["problem"] = str(problem)
        values = {name: np.nan if found[name] is None else float(found[name]) for name in nothing}
        if "problem" in memory:
            return values | {"nc_lines": [""] * 5, "nc_problem": wrapped(f"Not measured: {memory['problem']}")}
        return values | {
            "nc_problem": "",
            "nc_lines": [
                f"NC1 {values['nc1']:.2f}",
                f"NC3 {values['nc3']:.2f}",
                f"NC4 {values['nc4']:.3f}",
                f"norms {values['nc2_means']:.2f}",
                f"angles {values['nc2_angles_means']:.2f}",
            ],
        }

    def templates(self, run: Run, memory: dict[str, str], view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {"collapse": figures.collapse(theme), "collapse-equal": figures.equal_norms_and_angles(theme)},
            "texts": {},
            "lists": {},
        }
