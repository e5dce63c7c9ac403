"""Where a figure draws something, as points in shares of its plot: words go where none of them lies."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

# Shares of the plot: no curve runs past a label unseen between two of these samples.
STEP = 0.01


class Area(NamedTuple):
    """The plot inside its margins, in pixels."""

    width: float
    height: float


def lines(layout: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Points of the straight lines across a plot that stand at a place of one axis."""
    for shape in layout.get("shapes", ()):
        for own, other in (("x", "y"), ("y", "x")):
            if (
                shape.get(f"{other}ref") != "paper"
                or shape.get(f"{own}ref", own) != own
                or not isinstance(shape.get(f"{own}0"), int | float)
            ):
                continue
            axis = layout.get(f"{own}axis") or {}
            ends = axis.get("range")
            if not ends or None in ends or axis.get("type") == "log":
                continue
            at = (float(shape[f"{own}0"]) - ends[0]) / ((ends[1] - ends[0]) or 1)
            for share in np.arange(0, 1, STEP):
                yield (at, share) if own == "x" else (share, at)


def drawn(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], area: Area) -> Iterator[tuple[float, float]]:
    """Points that curves, bars and bands cover, as shares of the plot from its lower left."""
    ends = {letter: _ends(traces, layout, letter) for letter in "xy"}
    before = None
    for trace in traces:
        if trace.get("visible") is False or trace.get("type", "scatter") not in ("scatter", "bar"):
            continue
        points = _shares(trace, layout, ends)
        if not len(points):
            continue
        if trace.get("type") == "bar":
            zero = _share_of(0.0, ends["y"], layout, "y")
            for x, y in points[~np.isnan(points).any(axis=1)]:
                yield from ((x, at) for at in np.arange(min(zero, y), max(zero, y) + STEP, STEP))
        elif "lines" in str(trace.get("mode", "lines")):
            yield from _along(points)
            if trace.get("fill") == "tonexty" and before is not None and len(before) == len(points):
                for (x, low), (_, high) in zip(points, before, strict=True):
                    if np.isfinite([x, low, high]).all():
                        yield from ((x, at) for at in np.arange(min(low, high), max(low, high), STEP))
        else:
            yield from map(tuple, points[~np.isnan(points).any(axis=1)])
        before = points


def _along(points: np.ndarray) -> Iterator[tuple[float, float]]:
    for start, end in pairwise(points):
        if np.isnan(start).any() or np.isnan(end).any():
            continue
        count = int(min(200, np.abs(end - start).max() / STEP)) + 1
        yield from map(tuple, np.linspace(start, end, count + 1))


def _shares(trace: Mapping[str, Any], layout: Mapping[str, Any], ends: Mapping[str, tuple[float, float]]) -> np.ndarray:
    columns = []
    for letter in "xy":
        # A second axis over the first spans the same plot.
        own = str(trace.get(f"{letter}axis", letter))
        axis = layout.get(f"{letter}axis{own[1:]}") or {}
        limits = ends[letter] if own == letter else tuple(axis.get("range") or (0.0, 1.0))
        values = _numbers(trace.get(letter))
        columns.append(np.array([_share_of(value, limits, layout, own) for value in values]))
    length = min(len(column) for column in columns)
    return np.stack([column[:length] for column in columns], axis=1) if length else np.empty((0, 2))


def _share_of(value: float, ends: tuple[float, float], layout: Mapping[str, Any], own: str) -> float:
    if (layout.get(f"{own[0]}axis{own[1:]}") or {}).get("type") == "log":
        value = np.log10(value) if value > 0 else np.nan
    return (value - ends[0]) / ((ends[1] - ends[0]) or 1.0)


def _ends(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], letter: str) -> tuple[float, float]:
    """The ends of an axis: those it has, or about those that plotly will choose."""
    axis = layout.get(f"{letter}axis") or {}
    given = axis.get("range")
    if given and None not in given:
        return float(given[0]), float(given[1])
    own = [trace for trace in traces if str(trace.get(f"{letter}axis", letter)) == letter]
    values = np.concatenate([np.zeros(0), *(_numbers(trace.get(letter)) for trace in own)])
    if axis.get("type") == "log":
        values = np.log10(values[values > 0])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    bars = letter == "y" and any(trace.get("type") == "bar" for trace in own)
    if axis.get("rangemode") == "tozero" or bars:
        low, high = min(low, 0.0), max(high, 0.0)
    dots = letter == "y" or any("markers" in str(trace.get("mode", "")) for trace in own)
    pad = 0.055 * (high - low) if dots else 0.0
    return low - (0.0 if low == 0 and axis.get("rangemode") == "tozero" else pad), high + pad


def _numbers(values: Any) -> np.ndarray:
    """A column as numbers; names of categories are numbered as they come."""
    if not isinstance(values, list | tuple):
        return np.zeros(0)
    if any(isinstance(value, str) for value in values):
        order = {value: i for i, value in enumerate(dict.fromkeys(values))}
        return np.array([float(order[value]) for value in values])
    return np.array([np.nan if value is None else float(value) for value in values])
