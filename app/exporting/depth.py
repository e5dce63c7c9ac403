"""A scene in depth, drawn flat: what WebGL would give as a picture becomes lines, markers and type on the page.

The camera is plotly's, so that paper shows what the screen does: the data fill a cube of side 1 around the origin, seen
in perspective from ``eye`` towards ``center``, 45° from the lower to the upper edge of the view.
"""

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from prunescope.app.exporting.labels import text_width

FIELD_OF_VIEW = math.pi / 4
_DEFAULT = {"eye": (1.25, 1.25, 1.25), "center": (0.0, 0.0, 0.0), "up": (0.0, 0.0, 1.0)}
# Room that plotly leaves around the data, as a share of their range.
_ROOM = 1 / 32
# About so many steps of a round size an axis has.
_STEPS = 4
# How far outside the cube its numbers stand, in type sizes; and where on an edge of length 1 there is room for them.
_GAP, _CORNER = 0.9, 0.46
# Where the cube reaches so far, in halves of the view, the screen is meant to show only a part of it.
_PART = 1.25


class View:
    """Where points of a cube of side 1 around the origin are seen, in a view that is 2 high."""

    def __init__(self, camera: Mapping[str, Mapping[str, float]]) -> None:
        eye, center, up = (
            np.array([float((camera.get(name) or {}).get(a, default)) for a, default in zip("xyz", least, strict=True)])
            for name, least in _DEFAULT.items()
        )
        ahead = _unit(center - eye)
        right = _unit(np.cross(ahead, up))
        self.eye = eye
        self._axes = np.stack([right, np.cross(right, ahead), ahead])
        self._scale = 1 / math.tan(FIELD_OF_VIEW / 2)

    def __call__(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) → places (n, 2) and distances ahead of the eye (n,); what is behind it is nan."""
        seen = (np.atleast_2d(points) - self.eye) @ self._axes.T
        far = np.where(seen[:, 2] > 0.01, seen[:, 2], np.nan)
        return self._scale * seen[:, :2] / far[:, None], far


def flat(
    data: list[dict[str, Any]], layout: dict[str, Any], width: float, height: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Traces and layout of a figure whose ``layout["scene"]`` is drawn on two axes that nobody sees.

    ``width`` and ``height`` are those of the plot in pixels: the cube and its type fill it, unless the camera is so
    near that the screen shows only a part. Of a trace the far markers are drawn first.
    """
    scene = layout["scene"]
    view = View(scene.get("camera") or {})
    ends = _ends(data, scene)
    corners = view(np.array(list(product((-0.5, 0.5), repeat=3))))[0]
    size = float(layout["font"]["size"])
    middle, unit = np.zeros(2), height / 2
    notes = _type(scene, view, ends, size, unit)
    near = np.isnan(corners).any() or np.abs(corners).max() > _PART
    for _ in range(0 if near else 4):
        low, high = _around(np.concatenate([corners, *(_box(note, unit) for note in notes)]))
        middle, unit = (low + high) / 2, min(width / (high[0] - low[0]), height / (high[1] - low[1]))
        notes = _type(scene, view, ends, size, unit)
    seen = [_seen(trace, view, ends) if trace.get("type") == "scatter3d" else trace for trace in data]
    hidden = {"visible": False, "fixedrange": True, "showgrid": False, "zeroline": False}
    ranges = [
        [round(float(at - room / unit / 2), 5), round(float(at + room / unit / 2), 5)]
        for at, room in zip(middle, (width, height), strict=True)
    ]
    layout = {name: value for name, value in layout.items() if name != "scene"} | {
        "xaxis": hidden | {"range": ranges[0]},
        "yaxis": hidden | {"range": ranges[1], "scaleanchor": "x", "scaleratio": 1},
        "annotations": [*layout.get("annotations", ()), *notes],
    }
    return [*_grid(scene, view, ends), *seen], layout


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / (np.linalg.norm(vector) or 1.0)


def _ends(data: list[dict[str, Any]], scene: Mapping[str, Any]) -> np.ndarray:
    """Both ends of the three axes, (3, 2), as plotly chooses them."""
    found = []
    for a in "xyz":
        given = (scene.get(f"{a}axis") or {}).get("range")
        if given:
            found.append([float(end) for end in given])
            continue
        shown = (trace for trace in data if trace.get("type") == "scatter3d" and trace.get("visible", True) is True)
        values = np.concatenate([np.zeros(0), *(np.array(trace.get(a) or [], dtype=float) for trace in shown)])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (-1.0, 1.0)
        room = _ROOM * (high - low) or 1.0
        found.append([low - room, high + room])
    return np.array(found)


def _seen(trace: Mapping[str, Any], view: View, ends: np.ndarray) -> dict[str, Any]:
    own = {key: value for key, value in trace.items() if key not in ("z", "text", "customdata", "hovertemplate")}
    points = np.stack([np.array(trace.get(a) or [], dtype=float) for a in "xyz"], axis=1)
    places, far = view((points - ends.mean(axis=1)) / (ends[:, 1] - ends[:, 0]))
    if trace.get("mode") == "markers":
        order = np.argsort(-np.nan_to_num(far), kind="stable")
        places = places[order]
        marker = dict(trace.get("marker") or {})
        for key in ("color", "size"):
            if isinstance(marker.get(key), list):
                marker[key] = [marker[key][i] for i in order]
        own["marker"] = marker
    x, y = ([None if math.isnan(value) else round(value, 5) for value in column] for column in places.T.tolist())
    return own | {"type": "scatter", "x": x, "y": y}


def _grid(scene: Mapping[str, Any], view: View, ends: np.ndarray) -> list[dict[str, Any]]:
    """The lines at round values, and the edges, of the three faces at the back."""
    back, grid = _back(view), []
    for i, a in enumerate("xyz"):
        axis = scene.get(f"{a}axis") or {}
        j, k = (other for other in range(3) if other != i)
        strokes: list[list[Any]] = []
        for at in [*_shares(ends[i]).values(), -0.5, 0.5]:
            # Across each of the two faces that this axis lies in.
            for fixed, free in ((j, k), (k, j)):
                line = np.zeros((2, 3))
                line[:, i], line[:, fixed], line[:, free] = at, back[fixed] / 2, (-0.5, 0.5)
                strokes += [*view(line)[0].round(5).tolist(), [None, None]]
        x, y = (
            [None if value is None or math.isnan(value) else value for value in column]
            for column in zip(*strokes, strict=True)
        )
        look = {"color": axis.get("gridcolor", "#dddddd"), "width": axis.get("gridwidth", 0.5)}
        grid.append({"type": "scatter", "mode": "lines", "name": "", "showlegend": False, "x": x, "y": y, "line": look})
    return grid


def _type(scene: Mapping[str, Any], view: View, ends: np.ndarray, size: float, unit: float) -> list[dict[str, Any]]:
    """Numbers along the cube's outline, and along them the axes' names; ``size`` of the type in pixels, ``unit`` of the view."""
    notes = []
    em = size / unit
    for i, a in enumerate("xyz"):
        axis = scene.get(f"{a}axis") or {}
        edge = _edge(i, view)
        font = {"size": size, "color": axis.get("color")}
        widest = 0.0
        for text, at in _shares(ends[i]).items():
            # At the cube's corners the numbers of two axes would meet.
            if abs(at) > _CORNER:
                continue
            place, outwards, _ = _beside(view, edge, i, at)
            notes.append(_note(place + _GAP * em * outwards, outwards, text, font))
            widest = max(widest, text_width(text, 1.0))
        title = axis.get("title") or {}
        if title.get("text"):
            place, outwards, angle = _beside(view, edge, i, 0.0)
            away = _GAP + abs(outwards[0]) * widest + abs(outwards[1]) + 0.9
            font |= title.get("font") or {}
            notes.append(_note(place + away * em * outwards, np.zeros(2), title["text"], font) | {"textangle": angle})
    return notes


def _back(view: View) -> np.ndarray:
    """Of each axis the end, -1 or 1, whose face is the farther one."""
    return np.where(view.eye > 0, -1.0, 1.0)


def _edge(i: int, view: View) -> np.ndarray:
    """The middle of the edge along axis ``i`` for its numbers: of the outline the lowest; of the third axis the leftmost."""
    back = _back(view)
    j, k = (other for other in range(3) if other != i)
    outline = np.zeros((2, 3))
    outline[:, j], outline[:, k] = np.array([1, -1]) * back[j] / 2, np.array([-1, 1]) * back[k] / 2
    return outline[int(np.argmin(view(outline)[0][:, 0 if i == 2 else 1]))]


def _beside(view: View, edge: np.ndarray, i: int, at: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Where a point of an edge is seen, which way leads out of the cube, and the edge's slope in degrees, clockwise."""
    points = np.stack([edge, edge, edge])
    points[:, i] = (-0.5, at, 0.5)
    low, place, high = view(points)[0]
    along = _unit(high - low)
    across = np.array([along[1], -along[0]])
    inside = view(np.zeros(3))[0][0]
    slope = math.degrees(math.atan2(along[1], along[0]))
    slope += -180 if slope > 90 else 180 if slope <= -90 else 0
    return place, across if across @ ((low + high) / 2 - inside) >= 0 else -across, round(-slope, 2)


def _note(place: np.ndarray, outwards: np.ndarray, text: str, font: Mapping[str, Any]) -> dict[str, Any]:
    side = "left" if outwards[0] > 0.4 else "right" if outwards[0] < -0.4 else "center"
    return {
        "name": "axis", "text": text, "showarrow": False, "xref": "x", "yref": "y", "borderpad": 0,
        "x": round(float(place[0]), 5), "y": round(float(place[1]), 5),
        "xanchor": side, "yanchor": "middle", "font": dict(font),
    }  # fmt: skip


def _box(note: Mapping[str, Any], unit: float) -> np.ndarray:
    """Two corners of the room that a note takes, in a view of so many pixels a unit."""
    size = float(note["font"]["size"])
    wide, high = text_width(note["text"], size) / unit, 1.6 * size / unit
    turned = math.radians(note.get("textangle", 0))
    half = np.abs([[math.cos(turned), math.sin(turned)], [math.sin(turned), math.cos(turned)]]) @ [wide / 2, high / 2]
    left = {"left": half[0], "right": -half[0], "center": 0.0}[note["xanchor"]]
    middle = np.array([note["x"] + left, note["y"]])
    return np.stack([middle - half, middle + half])


def _around(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points.min(axis=0), points.max(axis=0)


def _shares(ends: np.ndarray) -> dict[str, float]:
    """Round numbers of an axis, as written, and where they lie on the cube's edge from -0.5 to 0.5."""
    low, high = ends.tolist()
    power = 10.0 ** math.floor(math.log10((high - low) / _STEPS))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda one: abs((high - low) / one - _STEPS))
    values = (step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1))
    return {f"{value:.6g}".replace("-", "−"): (value - low) / (high - low) - 0.5 for value in values}
