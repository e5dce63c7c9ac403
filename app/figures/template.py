"""A figure with holes: what is drawn, with references to rows that arrive epoch by epoch.

A page's figures share *rows*: one set of named values an epoch. A template says how they are
drawn; a hole in it, a :func:`ref`, says which of them go where. Filling the holes is all that happens
on an update or when the scrubber moves, so the browser does it alone (``assets/fill.js``, same
rules, compared with this file by a test), and an export does it here: both show the same picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

At = Literal["epoch", "first", "until", "all", "paths", "matrix", "spaced", "links"]


def ref(name: str, at: At = "epoch", **more: Any) -> dict[str, Any]:
    """A hole to be filled from the rows called ``name``.

    Parameters
    ----------
    name : of the rows; ``"@epoch"`` is each row's epoch itself, ``"@unit"`` the indices 0, 1, … of the
        entries of the row called ``like``, ``"@local"`` the local view key called ``key``.
    at :
        ``epoch`` the row under the scrubber, ``first`` the first one, ``until`` one scalar an epoch up to
        the scrubber, ``all`` one scalar for each epoch known, ``paths`` a polyline a unit through the
        epochs, parted by NaN, ``matrix`` rows up to the scrubber side by side (columns are epochs),
        ``spaced`` row ``i`` of ``of`` equally spaced ones from the first to the scrubber, ``links`` lines
        between points, as one SVG path: from ``name`` and ``y``, the points' places, ``ends``, two point
        numbers a line, and ``weights``, falling, those of the local view key ``least`` or more.
    where, equals : keep the entries for which the row called ``where`` has, under the scrubber, that value.
    col : take one entry of each row.
    pick : take the entry at the place that the local view key named here points at: 0 is the first entry,
        ``scale`` (1 unless given) the last.
    among : keep the entries whose index is in the list under this local view key.
    slice, of : take the row, of a matrix of ``of`` rows, at the place that the local view key named here
        points at (0 is the first row, 1 the last).
    shape : lay a row out as a matrix of this many rows and columns.
    times, plus : scale and shift numbers.
    """
    return {"$": name, "at": at} | more


def sentence(*parts: Any, unless: str = "") -> dict[str, Any]:
    """A hole for a text put together from texts and other holes; where the row ``unless`` has a text, that one."""
    return {"$": "@text", "parts": list(parts)} | ({"unless": unless} if unless else {})


# An edge weight and a cutoff are the same number when they differ by less than a rounding of either.
SAME_WEIGHT = 1e-6


@dataclass(kw_only=True)
class Rows:
    """What a feed has sent: for each name, one value an epoch (array of fixed shape, number or text)."""

    epochs: list[float] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)

    def append(self, epoch: float, row: Mapping[str, Any]) -> None:
        self.epochs.append(epoch)
        for name, value in row.items():
            self.values.setdefault(name, []).append(value)

    def column(self, name: str) -> list[Any]:
        return self.epochs if name == "@epoch" else self.values.get(name, [])


def fill(node: Any, rows: Rows, cursor: int, local: Mapping[str, Any] | None = None) -> Any:
    """``node`` with every hole filled as seen from row ``cursor``.

    ``local`` holds the view keys that need no server: ``tail`` (0 is the whole path), shares to pick at.
    """
    local = local or {}
    if isinstance(node, Mapping):
        if "$" in node:
            return _look_up(node, rows, cursor, local)
        return {key: fill(value, rows, cursor, local) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [fill(item, rows, cursor, local) for item in node]
    return node


def figure(template: Mapping[str, Any], rows: Rows, cursor: int, local: Mapping[str, Any] | None = None) -> go.Figure:
    """The finished figure, for an export."""
    filled = fill(template, rows, cursor, local)
    return go.Figure({"data": filled["data"], "layout": filled["layout"]}, skip_invalid=True)


def spaced_index(i: int, of: int, last: int) -> int | None:
    """Row of the ``i``-th of ``of`` equally spaced ones in 0..last; None where there are fewer rows."""
    if last + 1 <= of:
        return i if i <= last else None
    return int(i * last / (of - 1) + 0.5)


def picked_index(share: float, length: int) -> int:
    """Place of a share from 0 to 1 in a row of ``length`` entries, rounded half up as the browser does."""
    return max(0, min(length - 1, int(share * (length - 1) + 0.5)))


def _look_up(hole: Mapping[str, Any], rows: Rows, cursor: int, local: Mapping[str, Any]) -> Any:
    if hole["$"] == "@local":
        value = local.get(hole["key"], 0)
        return value * hole.get("times", 1) + hole.get("plus", 0)
    if hole["$"] == "@text":
        return _sentence(hole, rows, cursor, local)
    column = rows.column(hole["like"] if hole["$"] == "@unit" else hole["$"])
    if hole["$"] == "@unit":
        column = [np.arange(len(row)) for row in column]
    if not column:
        return None
    last = min(cursor, len(column) - 1)
    keep = _kept(hole, rows, cursor)
    match hole["at"]:
        case "epoch":
            value = _pick(column[last], hole, keep)
        case "first":
            value = _pick(column[0], hole, keep)
        case "until":
            value = _series(column[: last + 1], hole)
        case "all":
            value = _series(column, hole)
        case "matrix":
            value = np.stack([np.asarray(row) for row in column[: last + 1]], axis=1)
        case "spaced":
            index = spaced_index(hole["i"], hole["of"], last)
            # An empty line, not a missing one: plotly would draw x alone against its index.
            value = [] if index is None else _pick(column[index], hole, keep)
        case "links":
            return _links(hole, rows, last, local)
        case "paths":
            tail = int(local.get("tail", 0))
            start = 0 if tail == 0 else max(0, last - tail)
            value = _paths(column[start : last + 1], keep)
        case unknown:
            raise ValueError(f"template: at={unknown!r} is none of {At}")
    value = _part(value, hole, local)
    if value is None or isinstance(value, str):
        return value
    if "times" in hole or "plus" in hole:
        value = np.asarray(value) * hole.get("times", 1) + hole.get("plus", 0)
        value = float(value) if np.ndim(value) == 0 else value
    return value


def _part(value: Any, hole: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    scale = hole.get("scale", 1)
    if "pick" in hole:
        return value[picked_index(float(local.get(hole["pick"], 0)) / scale, len(value))] if len(value) else None
    if "among" in hole:
        chosen = [i for i in local.get(hole["among"], []) if 0 <= i < len(value)]
        return [value[i] for i in chosen] if isinstance(value, list) else np.asarray(value)[chosen]
    if "slice" in hole:
        width = len(value) // hole["of"]
        place = picked_index(float(local.get(hole["slice"], 0)) / scale, hole["of"])
        return np.asarray(value)[place * width : (place + 1) * width]
    if "shape" in hole:
        return np.asarray(value).reshape(hole["shape"])
    return value


def _kept(hole: Mapping[str, Any], rows: Rows, cursor: int) -> np.ndarray | None:
    if "where" not in hole:
        return None
    labels = rows.column(hole["where"])
    return np.asarray(labels[min(cursor, len(labels) - 1)]) == hole["equals"]


def _pick(row: Any, hole: Mapping[str, Any], keep: np.ndarray | None) -> Any:
    if "col" in hole:
        return np.asarray(row)[hole["col"]].item()
    return row if keep is None else np.asarray(row)[keep]


def _series(column: Sequence[Any], hole: Mapping[str, Any]) -> list[Any]:
    return [_pick(row, hole, None) for row in column]


def _paths(column: Sequence[Any], keep: np.ndarray | None) -> np.ndarray:
    stack = np.stack([np.asarray(row, dtype=float) for row in column])
    if keep is not None:
        stack = stack[:, keep]
    gap = np.full((1, stack.shape[1]), np.nan)
    return np.concatenate([stack, gap]).T.ravel()


def _sentence(hole: Mapping[str, Any], rows: Rows, cursor: int, local: Mapping[str, Any]) -> str:
    instead = fill(ref(hole["unless"]), rows, cursor, local) if "unless" in hole else ""
    if instead:
        return str(instead)
    filled = (fill(part, rows, cursor, local) for part in hole["parts"])
    return "".join(
        "" if part is None else f"{part:g}" if isinstance(part, int | float) else str(part) for part in filled
    )


def _links(hole: Mapping[str, Any], rows: Rows, last: int, local: Mapping[str, Any]) -> str:
    x, y = (np.asarray(rows.column(name)[last], dtype=float) for name in (hole["$"], hole["y"]))
    weights = np.asarray(rows.column(hole["weights"])[last])
    least = float(local.get(hole["least"], 0)) - SAME_WEIGHT
    ends = np.asarray(rows.column(hole["ends"])[last]).reshape(-1, 2)[: int((weights >= least).sum())]
    return "".join(f"M{x[a]:.3f},{y[a]:.3f}L{x[b]:.3f},{y[b]:.3f}" for a, b in ends)
