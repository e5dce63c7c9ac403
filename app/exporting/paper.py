"""The figure of the screen, set for paper: same picture, in inches and points."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from prunescope.app.exporting.depth import flat
from prunescope.app.exporting.labels import dress, key_of
from prunescope.app.exporting.merge import Merged, merge_points
from prunescope.app.exporting.style import PT_PER_INCH, PX_PER_INCH, PaperStyle

# The type and the main curve of the screen, which paper sets in points instead.
SCREEN_TYPE = 13.0
SCREEN_LINE = 2.0
# Narrower than this, in pixels of the screen, labels beside the curves move inside (as in assets/draw.js).
NARROW = 560.0

_LENGTHS = frozenset(
    {
        "standoff", "borderpad", "borderwidth", "ticklen", "tickwidth", "thickness", "outlinewidth", "xpad", "ypad",
        "xshift", "yshift", "ax", "ay", "arrowwidth",
    }
)  # fmt: skip
_ASPECT = {"column": 0.68, "text": 0.45}


class Sheet(NamedTuple):
    """A figure ready to be drawn: plotly's data and layout, its size in CSS pixels, and what was merged."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    width: float
    height: float
    merged: Merged | None


def on_paper(data: list[dict[str, Any]], layout: dict[str, Any], style: PaperStyle, *, whole: bool = False) -> Sheet:
    """Set a filled figure for paper; ``whole`` keeps depth, and every point, for those who can turn and zoom it.

    Everything that is type is scaled so that the screen's 13 px become ``style.size_pt``, and lines so that
    the screen's main curve becomes ``style.line_pt``; what is left is plotly's own layout at the new size.
    """
    type_scale = style.size_pt / PT_PER_INCH * PX_PER_INCH / SCREEN_TYPE
    line_scale = style.line_pt / PT_PER_INCH * PX_PER_INCH / SCREEN_LINE
    width = style.width_in * PX_PER_INCH
    height = style.height_in(_shape(layout, style)) * PX_PER_INCH
    layout = _scaled(deepcopy(dict(layout)), type_scale, line_scale)
    traces = [_scaled(deepcopy(trace), type_scale, line_scale) for trace in data]
    if style.log and "yaxis" in layout:
        layout["yaxis"] = {
            key: value for key, value in layout["yaxis"].items() if key not in ("range", "tickformat", "rangemode")
        } | {"type": "log"}
    for axis, ends in style.ranges.items():
        if axis in layout:
            layout[axis] |= {"range": ends, "autorange": False}
    for scene, camera in style.camera.items():
        if scene in layout:
            layout[scene] |= {"camera": camera}
    for index in style.hidden:
        if index < len(traces):
            traces[index]["visible"] = False
    # Beside the plot they would stand only where nothing lays them out anew.
    if style.legend == "labels" or width / type_scale < NARROW:
        _labels_inside(layout, type_scale)
    for name, axis in layout.items():
        if name.startswith(("xaxis", "yaxis")):
            # A page must not twitch, and gives its axes fixed room; paper gives them what they need.
            axis["automargin"] = True
    _without_scrubber(traces, layout)
    if "scene" in layout and not whole:
        margin = layout.get("margin", {})
        room = [width - margin.get("l", 0) - margin.get("r", 0), height - margin.get("t", 0) - margin.get("b", 0)]
        traces, layout = flat(traces, layout, *room)
    if style.legend == "labels":
        # A legend of the figure's own gives way to the key, which says the same.
        layout["showlegend"] = False
        above = dress(traces, layout, width, height, 12 * type_scale)
        # The plot keeps its shape where nobody has asked for a height.
        height += 0 if style.height or style.preset.height else above
    else:
        _legend(traces, layout, style, type_scale)
    if style.letter:
        _letter(layout, style.letter, style.size_pt / PT_PER_INCH * PX_PER_INCH)
    ground = "#ffffff" if style.background == "white" else "rgba(0,0,0,0)"
    layout["font"]["family"] = style.family
    layout |= {"paper_bgcolor": ground, "plot_bgcolor": ground, "autosize": False, "width": width, "height": height}
    merged = None
    if not whole:
        traces, merged = merge_points(traces, layout, width, height)
    return Sheet(traces, layout, width, height, merged)


def _shape(layout: Mapping[str, Any], style: PaperStyle) -> float:
    square = "scene" in layout or "scaleanchor" in (layout.get("yaxis") or {})
    return 0.86 if square and style.width != "text" else 0.62 if square else _ASPECT.get(style.width, 0.6)


def _scaled(node: Any, type_scale: float, line_scale: float, inside: str = "") -> Any:
    """Type, markers and margins with the type; strokes with the line; data untouched."""
    if isinstance(node, list):
        return [
            _scaled(item, type_scale, line_scale, inside) if isinstance(item, dict | list) else item for item in node
        ]
    if not isinstance(node, dict):
        return node
    for key, value in node.items():
        if (inside.endswith("font") and key == "size") or (inside == "marker" and key == "size"):
            node[key] = _times(value, type_scale)
        elif inside == "line" and key == "width":
            node[key] = _times(value, line_scale)
        elif inside == "margin" and key in "lrtb":
            node[key] = round(value * type_scale, 2)
        elif key in _LENGTHS and isinstance(value, int | float):
            node[key] = round(value * type_scale, 3)
        elif isinstance(value, dict | list):
            node[key] = _scaled(value, type_scale, line_scale, key)
    if "gridcolor" in node:
        node.setdefault("gridwidth", round(0.5 * line_scale, 3))
    if inside == "font":
        node.pop("family", None)
    return node


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, list):
        return [_times(item, factor) for item in value]
    return round(value * factor, 3) if isinstance(value, int | float) else value


def _labels_inside(layout: dict[str, Any], scale: float) -> None:
    margin = layout.get("margin", {})
    if margin.get("r", 0) < 100 * scale:
        return
    margin["r"] = 14 * scale
    beside = [
        note for note in layout.get("annotations", ()) if note.get("xref") == "paper" and (note.get("x") or 0) > 1
    ]
    for i, note in enumerate(beside):
        note |= {"x": 0.02, "y": 0.02 + 0.075 * (len(beside) - 1 - i), "yanchor": "bottom"}


def _without_scrubber(traces: list[dict[str, Any]], layout: dict[str, Any]) -> None:
    """The line at the epoch shown says nothing where that is the last one drawn."""
    ends = [trace["x"][-1] for trace in traces if isinstance(trace.get("x"), list) and trace["x"]]
    last = max((float(x) for x in ends if isinstance(x, int | float)), default=0.0)
    layout["shapes"] = [
        shape for shape in layout.get("shapes", ()) if shape.get("name") != "now" or float(shape["x0"]) < last
    ]


def _legend(traces: list[dict[str, Any]], layout: dict[str, Any], style: PaperStyle, scale: float) -> None:
    # Labels at the curves say what a legend says: one of the two is enough.
    layout["annotations"] = [note for note in layout.get("annotations", ()) if note.get("name") != "label"]
    if style.legend == "none":
        return
    chosen = {id(trace): name for name, trace in key_of(traces, [])}
    for trace in traces:
        trace["showlegend"] = id(trace) in chosen
        trace["name"] = chosen.get(id(trace), trace.get("name", ""))
    places: dict[str, dict[str, Any]] = {
        "right": {"x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"},
        "top": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "bottom": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top"},
        "inside": {"x": 0.99, "xanchor": "right", "y": 0.99, "yanchor": "top", "bgcolor": "rgba(255,255,255,0.8)"},
    }
    layout |= {
        "showlegend": True,
        "legend": {"font": {"size": 12 * scale}, "borderwidth": 0, "itemsizing": "trace"} | places[style.legend],
    }


def _letter(layout: dict[str, Any], letter: str, size: float) -> None:
    margin = layout.setdefault("margin", {})
    margin["t"] = max(margin.get("t", 0), 1.5 * size)
    layout["title"] = {
        "text": f"<b>{letter}</b>",
        "font": {"size": 1.25 * size},
        "x": 0.0,
        "xref": "container",
        "xanchor": "left",
        "y": 1.0,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 0.25 * size, "t": 0.15 * size},
    }
