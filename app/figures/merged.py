"""Two networks' units in one picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.figures.lab import without_axes
from prunescope.app.figures.pieces import corner, middle
from prunescope.app.figures.theme import SYMBOLS, Theme, axis, base_layout


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The units of two networks in the plane of the main directions of both.

    Attributes
    ----------
    names : of the two
    points : of each, (living units, 2)
    explained : share of the variance of the directions that the plane holds
    nearest : mean cosine of a unit of the first to the nearest one of the second
    same : mean cosine to the unit of the same number there; nan where the counts differ
    """

    names: tuple[str, str]
    points: tuple[np.ndarray, np.ndarray]
    explained: float
    nearest: float
    same: float


def merged(theme: Theme, found: Merged | str) -> dict[str, Any]:
    """The units of two networks as directions in one plane, each network in its colour."""
    both = [] if isinstance(found, str) else list(zip(found.names, found.points, strict=True))
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": points[:, 0].tolist(),
            "y": points[:, 1].tolist(),
            "text": [str(unit) for unit in range(len(points))],
            "marker": {"size": 7, "opacity": 0.65, "symbol": SYMBOLS[i], "color": theme.data[i]},
            "hovertemplate": f"{name}, %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
        }
        for i, (name, points) in enumerate(both)
    ]
    notes = [middle(theme, found)] if isinstance(found, str) else corner(
        theme, [(name, theme.data[i]) for i, (name, _) in enumerate(both)], right=False, bottom=True, step=0.13
    )  # fmt: skip
    share = "" if isinstance(found, str) else f"; both hold {100 * found.explained:.0f} % of the variance"
    layout = base_layout(
        theme,
        annotations=notes,
        xaxis=axis(theme, f"first direction{share}", showgrid=False),
        yaxis=axis(theme, "second direction", scaleanchor="x"),
    )
    return {"data": data, "layout": layout if data else without_axes(layout)}
