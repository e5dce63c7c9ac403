"""Fewer points where no eye and no printer could tell them apart, and a word on it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

# A point costs some 13 bytes of SVG: as many as these keep a file with its other parts under a megabyte.
MOST_POINTS = 52_000
# CSS pixels: half a dot at 300 dpi, to begin with.
FINEST = 0.15


class Merged(NamedTuple):
    """How many points of lines there were, how many are drawn, and the distance below which they were merged."""

    points: int
    drawn: int
    pixels: float

    def words(self) -> str:
        return (
            f"Points nearer than {self.pixels * 25.4 / 96:.3f} mm on the page were merged: {self.drawn} of "
            f"{self.points} are drawn; the data file has them all."
        )


def merge_points(
    data: list[dict[str, Any]], layout: Mapping[str, Any], width: float, height: float, most: int = MOST_POINTS
) -> tuple[list[dict[str, Any]], Merged | None]:
    """Thin the lines of a figure that would make too large a file; others come back as they are.

    The first and last point of every path stay, and so does each point that lies further than the tolerance
    from the last one kept.
    """
    lines = [i for i, trace in enumerate(data) if _is_line(trace)]
    points = sum(len(data[i]["x"]) for i in lines)
    if points <= most:
        return data, None
    arrays = {i: _pixels(data[i], data, layout, width, height) for i in lines}
    tolerance = FINEST
    while True:
        kept = {i: _kept(arrays[i], tolerance) for i in lines}
        drawn = sum(int(keep.sum()) for keep in kept.values())
        if drawn <= most or tolerance > 4:
            break
        tolerance *= 1.4
    thinned = [
        trace | {key: _chosen(trace[key], kept[i]) for key in ("x", "y")} if i in kept else trace
        for i, trace in enumerate(data)
    ]
    return thinned, Merged(points, drawn, round(tolerance, 4))


def _is_line(trace: Mapping[str, Any]) -> bool:
    return (
        trace.get("type") == "scatter"
        and trace.get("mode") == "lines"
        and not trace.get("fill")
        and "stackgroup" not in trace
        and isinstance(trace.get("x"), list)
        and isinstance(trace.get("y"), list)
    )


def _chosen(values: list[Any], keep: np.ndarray) -> list[Any]:
    return [value for value, stays in zip(values, keep, strict=True) if stays]


def _pixels(
    trace: Mapping[str, Any], data: list[dict[str, Any]], layout: Mapping[str, Any], width: float, height: float
) -> np.ndarray:
    """Points of a trace in pixels, (n, 2); nan parts the paths."""
    columns = []
    for letter, pixels in (("x", width), ("y", height)):
        own = trace.get(f"{letter}axis", letter)
        axis = layout.get(f"{letter}axis{own[1:]}") or {}
        values = np.array(trace[letter], dtype=float)
        if axis.get("type") == "log":
            values = np.log10(np.where(values > 0, values, np.nan))
        ends = axis.get("range")
        if not ends or None in ends:
            ends = (np.nanmin(values), np.nanmax(values))
        span = abs(float(ends[1]) - float(ends[0])) or 1.0
        columns.append(values / span * pixels)
    return np.stack(columns, axis=1)


def _kept(points: np.ndarray, tolerance: float) -> np.ndarray:
    gap = np.isnan(points).any(axis=1)
    keep = np.ones(len(points), dtype=bool)
    x, y = points.T.tolist()
    last_x = last_y = None
    limit = tolerance * tolerance
    for i in range(len(points)):
        if gap[i]:
            last_x = None
            continue
        ends = i + 1 == len(points) or gap[i + 1]
        if last_x is not None and not ends and (x[i] - last_x) ** 2 + (y[i] - last_y) ** 2 < limit:
            keep[i] = False
        else:
            last_x, last_y = x[i], y[i]
    return keep
