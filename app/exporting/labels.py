"""Where the words of a figure stand on paper: beside no curve's back, and a key for curves that no label names.

On screen a label may lie over a curve for a moment, and the rail beside the figure says which colour is which. A
printed figure has neither, so here each stack of labels moves to the corner where nothing is drawn, or above.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from prunescope.app.exporting.occupied import Area, drawn, lines

# Lines of text stand this many type sizes apart.
LEADING = 1.3
MOST_KEYS = 8
_NARROW = frozenset("iljtf.,:;|!'·()[] −-")
_WIDE = frozenset("mwMW@%∠Σ→")

_PLACES = (
    ("left", "top"), ("right", "top"), ("left", "bottom"), ("right", "bottom"),
    ("right", "middle"), ("left", "middle"), ("centre", "top"), ("centre", "bottom"),
)  # fmt: skip
# Markers as plotly draws them, in half their size.
_CORNERS = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "triangle-up": ((-1, -0.8), (1, -0.8), (0, 1)),
}


class Item(NamedTuple):
    """What stands above the plot: a label that the figure has, or the name of a trace beside a piece of it."""

    text: str
    size: float
    note: dict[str, Any] | None
    trace: dict[str, Any] | None = None

    def swatch_width(self) -> float:
        if self.trace is None:
            return 0.0
        return (2.3 if _is_stroke(self.trace) else 1.2) * self.size


def dress(traces: Sequence[dict[str, Any]], layout: dict[str, Any], width: float, height: float, size: float) -> float:
    """Place the labels of a figure, and add the key that it needs; the height that both take above the plot.

    ``layout`` is changed; ``size`` is that of the key's type, in pixels.
    """
    notes = sorted(filter(_is_label, layout.get("annotations", ())), key=lambda note: -float(note.get("y") or 0))
    plain = "xaxis" in layout and "xaxis2" not in layout
    margin = layout.setdefault("margin", {})
    area = Area(width - margin.get("l", 0) - margin.get("r", 0), height - margin.get("t", 0) - margin.get("b", 0))
    over = [] if not notes or not plain or _in_a_corner(notes, traces, layout, area) else notes
    items = [Item(note["text"], note["font"]["size"], note) for note in over]
    items += [Item(name, size, None, trace) for name, trace in key_of(traces, notes)]
    return _above(items, layout, area) if items else 0.0


def _in_a_corner(
    notes: Sequence[dict[str, Any]], traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], area: Area
) -> bool:
    """Stack the labels where nothing is drawn; whether there is such a place."""
    taken = np.array([*drawn(traces, layout, area), *lines(layout)]).reshape(-1, 2)
    size = max(float(note["font"]["size"]) for note in notes)
    wide = max(text_width(note["text"], note["font"]["size"]) for note in notes)
    box = ((wide + 0.8 * size) / area.width, (LEADING * len(notes) + 0.4) * size / area.height)
    first = ("right" if float(notes[0].get("x") or 0) > 0.5 else "left", _half(notes))
    places = [first, *sorted(_PLACES, key=lambda place: place[0] != first[0])]
    free = next((place for place in places if not _covered(taken, place, box)), None)
    if free is None or box[0] > 1:
        return False
    side, end = free
    x = {"left": (0.0, 0.4 * size), "right": (1.0, -0.4 * size), "centre": (0.5, -wide / 2)}[side]
    tall = LEADING * size * len(notes)
    top = {"top": (1.0, -0.2 * size), "bottom": (0.0, tall + 0.2 * size), "middle": (0.5, tall / 2)}[end]
    for i, note in enumerate(notes):
        _put(note, x, (top[0], top[1] - LEADING * size * i), "right" if side == "right" else "left", "top")
    return True


def key_of(traces: Sequence[dict[str, Any]], notes: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Name and trace of what a key must tell: each look once, and none that a label names in its colour."""
    named = {(note.get("font") or {}).get("color") for note in notes}
    looks: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for trace in traces:
        look = _look(trace)
        if look is not None:
            looks.setdefault(look, []).append(trace)
    found = []
    for look, alike in looks.items():
        if look[0] in named:
            # One label is the name of one curve; the next of this colour has another dash, and needs a name.
            named.discard(look[0])
        else:
            found.append((_shared_name([str(trace["name"]) for trace in alike]), alike[0]))
    cells = any(trace.get("type") == "heatmap" for trace in traces)
    alone = len(found) == 1 and not cells and (len(looks) == 1 or found[0][1].get("type") == "bar")
    return [] if alone or len(found) > MOST_KEYS else found


def _shared_name(names: Sequence[str]) -> str:
    """What the names of traces that look alike end with: of "fc1 by chance" and "fc2 by chance", "by chance"."""
    words = [name.split() for name in dict.fromkeys(names)]
    shared = []
    for column in zip(*(reversed(line) for line in words), strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return " ".join(reversed(shared)) or names[0]


def text_width(text: str, size: float) -> float:
    """About how wide a text is set in a bold sans, in the unit of its size; no type is at hand to measure it."""
    lines = str(text).replace("<b>", "").replace("</b>", "").split("<br>")
    return max(sum(_advance(letter) for letter in line) for line in lines) * size


def _advance(letter: str) -> float:
    if letter in _NARROW:
        return 0.34
    if letter in _WIDE:
        return 0.88
    return 0.7 if letter.isupper() else 0.58


def _is_label(note: Mapping[str, Any]) -> bool:
    both = note.get("xref") == "paper" and note.get("yref") == "paper"
    return bool(note.get("name") == "label" and both and note.get("text") and (note.get("font") or {}).get("size"))


def _half(notes: Sequence[Mapping[str, Any]]) -> str:
    return "top" if float(notes[0].get("y") or 0) > 0.5 else "bottom"


def _corner(place: tuple[str, str], box: tuple[float, float]) -> tuple[float, float]:
    """Left and lower end of a box at a place, as shares of the plot."""
    x = {"left": 0.012, "right": 0.988 - box[0], "centre": 0.5 - box[0] / 2}[place[0]]
    return x, {"top": 0.988 - box[1], "bottom": 0.012, "middle": 0.5 - box[1] / 2}[place[1]]


def _covered(drawn: np.ndarray, place: tuple[str, str], box: tuple[float, float]) -> int:
    left, low = _corner(place, box)
    x, y = drawn.T
    return int(((x > left) & (x < left + box[0]) & (y > low) & (y < low + box[1])).sum())


def _above(items: Sequence[Item], layout: dict[str, Any], area: Area) -> float:
    """Beside one another in rows over the plot; returned is the height that the margin grows by."""
    size = max(item.size for item in items)
    places, row, used = [], 0, 0.0
    for item in items:
        wide = item.swatch_width() + text_width(item.text, item.size)
        if used and used + wide > area.width:
            row, used = row + 1, 0.0
        places.append((row, used))
        used += wide + 1.1 * size
    for item, (own, at) in zip(items, places, strict=True):
        y = LEADING * size * (row - own) + 0.5 * size
        if item.trace is not None:
            layout.setdefault("shapes", []).append(_swatch(item, at, y + 0.62 * item.size))
        note = item.note
        if note is None:
            note = {"name": "key", "text": item.text, "showarrow": False, "font": {"size": item.size}}
            layout.setdefault("annotations", []).append(note)
        _put(note, (0.0, at + item.swatch_width()), (1.0, y), "left", "bottom")
    grown = round(max(0.0, LEADING * size * (row + 1) + 0.6 * size - layout["margin"].get("t", 0)), 2)
    layout["margin"]["t"] = layout["margin"].get("t", 0) + grown
    return grown


def _put(note: dict[str, Any], x: tuple[float, float], y: tuple[float, float], xanchor: str, yanchor: str) -> None:
    """At a share of the plot, and so many pixels to the right of it and above it."""
    note |= {"xref": "paper", "yref": "paper", "x": x[0], "y": y[0], "xshift": round(x[1], 2), "yshift": round(y[1], 2)}
    note |= {"xanchor": xanchor, "yanchor": yanchor, "borderpad": 0, "opacity": 1}
    note.pop("bgcolor", None)


def _swatch(item: Item, left: float, middle: float) -> dict[str, Any]:
    """A piece of the curve, or a marker, as a shape over the plot."""
    trace: dict[str, Any] = item.trace or {}
    line, marker, wide = trace.get("line") or {}, trace.get("marker") or {}, item.swatch_width() - 0.4 * item.size
    at = {"xref": "paper", "yref": "paper", "xanchor": 0, "yanchor": 1, "xsizemode": "pixel", "ysizemode": "pixel"}
    ends = {"x0": round(left, 2), "x1": round(left + wide, 2)}
    if _is_stroke(trace):
        stroke = {key: line[key] for key in ("color", "width", "dash") if key in line}
        if line.get("dash") in ("dash", "longdash"):
            # Two dashes with a gap between them, whatever the curve's own rhythm.
            stroke["dash"] = f"{0.4 * wide:.2f}px,{0.2 * wide:.2f}px"
        return at | ends | {"type": "line", "y0": round(middle, 2), "y1": round(middle, 2), "line": stroke}
    colour = line.get("color") if "stackgroup" in trace else marker.get("color")
    filled = {"fillcolor": colour, "line": {"width": 0}}
    corners = _CORNERS.get(str(marker.get("symbol", "circle")))
    if corners:
        half = 0.4 * item.size
        points = (f"{left + wide / 2 + x * half:.2f},{middle + y * half:.2f}" for x, y in corners)
        return at | filled | {"type": "path", "path": f"M{'L'.join(points)}Z"}
    kind = "circle" if trace.get("type") == "scatter" and "stackgroup" not in trace else "rect"
    ends |= {"y0": round(middle - 0.4 * item.size, 2), "y1": round(middle + 0.4 * item.size, 2)}
    return at | ends | filled | {"type": kind}


def _is_stroke(trace: Mapping[str, Any]) -> bool:
    line = "lines" in str(trace.get("mode", "lines")) and "stackgroup" not in trace
    return bool(trace.get("type", "scatter") == "scatter" and line)


def _look(trace: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What tells a trace from others to the eye, or None where there is nothing to name."""
    name, line, marker = str(trace.get("name") or ""), trace.get("line") or {}, trace.get("marker") or {}
    empty = trace.get("y") in ([], None) or trace.get("visible") is False or trace.get("showlegend") is False
    # What is there only to be touched shows nothing.
    empty = empty or marker.get("opacity") == 0
    if not name or empty or name.endswith(", path") or trace.get("type", "scatter") not in ("scatter", "bar"):
        return None
    if "stackgroup" in trace:
        return (line.get("color"), "area")
    if trace.get("fill") or line.get("width") == 0:
        return None
    if trace.get("type") == "bar":
        return (marker.get("color"), "bar") if isinstance(marker.get("color"), str) else None
    if "lines" in str(trace.get("mode", "lines")):
        return (line.get("color"), line.get("dash", "solid"))
    return (marker.get("color"), marker.get("symbol", "circle")) if isinstance(marker.get("color"), str) else None
