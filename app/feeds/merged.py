"""Two networks in one picture: the units of both, as directions in one plane."""

from collections.abc import Sequence

import numpy as np
from prunescope.app.figures.merged import Merged
from prunescope.engine.geometry import cosine_matrix, merge_units, project_trajectory
from prunescope.engine.store import Run


def merged_runs(pair: Sequence[tuple[Run, str]], layers: Sequence[str]) -> Merged | str:
    """The first two of these runs, each with its name, in their newest snapshots; a text says why there is none."""
    if len(pair) < 2:
        return "tick two runs"
    (here, name), (there, other_name) = pair[:2]
    one, other = (run.weights(layer, float(run.epochs[-1])) for run, layer in zip((here, there), layers[:2], strict=True))
    try:
        return merged_units(one, other, (name, other_name))
    except ValueError as error:
        return str(error)


def merged_units(one: np.ndarray, other: np.ndarray, names: tuple[str, str]) -> Merged:
    """Unit rows of both stacked and projected; units that are pruned or not finite are left out.

    Parameters
    ----------
    one, other : (units, fan_in); the unit counts may differ

    Raises
    ------
    ValueError
        Where the layers read different inputs, or one has no living unit.

    References
    ----------
    The merged view of "Sources of Redundancy in Neural Networks": a network and its retrained part.
    """
    lives = [np.isfinite(rows).all(axis=1) & (rows != 0).any(axis=1) for rows in (one, other)]
    if not all(live.any() for live in lives):
        raise ValueError("One of the two has no living unit.")
    merged = merge_units(one[lives[0]], other[lives[1]])
    directions = merged.weights / np.linalg.norm(merged.weights, axis=1, keepdims=True)
    plane = project_trajectory(directions[None], n_components=2)
    cosines = cosine_matrix(merged.weights)[merged.network == 0][:, merged.network == 1]
    same = np.nan
    if len(one) == len(other) and (both := lives[0] & lives[1]).any():
        # Places of the living ones among the living.
        places = [np.cumsum(live)[both] - 1 for live in lives]
        same = float(cosines[places[0], places[1]].mean())
    return Merged(
        names=names,
        points=(plane.points[0][merged.network == 0], plane.points[0][merged.network == 1]),
        explained=float(plane.explained_variance_ratio.sum()),
        nearest=float(cosines.max(axis=1).mean()),
        same=same,
    )
