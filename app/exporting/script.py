"""A short program that redraws a figure from its CSV with matplotlib, to be edited by hand."""

import pprint
from typing import Any

from prunescope.app.exporting.paper import Sheet
from prunescope.app.exporting.style import PX_PER_INCH, PaperStyle

_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": "--", "longdashdot": "-."}
_SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "cross": "P", "x": "X", "star": "*",
    "hexagon": "h", "circle-open": "o",
}  # fmt: skip

PROGRAM = '''"""{title}

{caption}

Redraws the figure from {csv}, which lies beside this file. Needs matplotlib.
"""
import csv
import logging
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# The first font of the list that this machine has is taken; the others need no word.
logging.getLogger("matplotlib.font_manager").setLevel("ERROR")
HERE = Path(__file__).resolve().parent
matplotlib.rcParams.update({{"font.size": {size}, "font.family": {family!r}, "pdf.fonttype": 42}})
TRACES = {traces}


def value(text):
    """A number, or the name of a place on an axis."""
    try:
        return float(text or "nan")
    except ValueError:
        return text


points = defaultdict(lambda: defaultdict(list))
with open(HERE / {csv!r}, newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        for key in ("x", "y", "z"):
            points[int(row["trace"])][key].append(value(row[key]))
        points[int(row["trace"])]["text"].append(row["text"])

figure = plt.figure(figsize=({width}, {height}), layout="constrained")
axes = figure.add_subplot({projection})
below = {{}}
for number, style in TRACES.items():
    kind, at = style.pop("kind"), points[number]
    places = [at["x"], at["y"]] + ([at["z"]] if {three} else [])
    if kind == "bar":
        axes.bar(at["x"], at["y"], **style)
    elif kind == "line":
        axes.plot(*places, **style)
    elif kind == "points":
        axes.scatter(*places, **style)
    elif kind == "area":
        axes.fill(at["x"], at["y"], **style)
    elif kind == "between":
        axes.fill_between(at["x"], points[number - 1]["y"], at["y"], **style)
    elif kind == "stack":
        base = below.get("y", [0.0] * len(at["y"]))
        below["y"] = [low + high for low, high in zip(base, at["y"])]
        axes.fill_between(at["x"], base, below["y"], **style)
    elif kind == "text":
        for x, y, words in zip(at["x"], at["y"], at["text"]):
            axes.text(x, y, words, **style)
    elif kind == "cells":
        wide = len(set(at["x"]))
        rows = [at["z"][i : i + wide] for i in range(0, len(at["z"]), wide)]
        sides = [at["x"][:wide], at["y"][::wide]]
        # Named places stand in their order: hundreds of names would cover each other.
        across, up = [range(len(side)) if isinstance(side[0], str) else side for side in sides]
        shown = axes.pcolormesh(across, up, rows, shading="nearest", **style)
        figure.colorbar(shown)
axes.set({axes})
axes.spines[["top", "right"]].set_visible(False) if not {three} else None
if {legend}:
    axes.legend(frameon=False)
for ending in ("pdf", "png"):
    figure.savefig(HERE / ({stem!r} + "-redrawn." + ending), dpi=300)
'''


def as_script(sheet: Sheet, style: PaperStyle, *, title: str, caption: str, csv: str) -> str:
    """The program; ``csv`` is the name of the file that it will read from its own folder."""
    three = any(trace.get("type") in ("scatter3d", "surface") for trace in sheet.data)
    traces = {number: drawn for number, trace in enumerate(sheet.data) if (drawn := _drawn(trace))}
    return PROGRAM.format(
        title=_quiet(title),
        caption=_quiet(caption),
        csv=csv,
        stem=csv.removesuffix(".csv"),
        size=style.size_pt,
        family=[name.strip(" '") for name in style.family.split(",")],
        traces=pprint.pformat(traces, width=110, sort_dicts=False),
        width=round(sheet.width / PX_PER_INCH, 3),
        height=round(sheet.height / PX_PER_INCH, 3),
        projection='projection="3d"' if three else "",
        three=three,
        axes=f"**{_axes(sheet)!r}",
        legend=style.legend != "none" and 1 < sum("label" in trace for trace in traces.values()) <= 8,
    )


def _drawn(trace: dict[str, Any]) -> dict[str, Any] | None:
    """How matplotlib draws one trace, or None where it draws nothing."""
    if trace.get("visible") is False or trace.get("y") == []:
        return None
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    label = {"label": str(trace.get("name", ""))} if trace.get("name") else {}
    opacity = trace.get("opacity", 1)
    stroke = {
        "color": _colour(line.get("color", "#333333")),
        "linewidth": round(line.get("width", 1) * 0.75, 3),
        "linestyle": _DASHES.get(line.get("dash", "solid"), "-"),
    }
    match trace.get("type", "scatter"), trace.get("mode", ""):
        case "bar", _:
            wide = {"width": trace["width"]} if isinstance(trace.get("width"), int | float) else {}
            colour = marker.get("color")
            return {"kind": "bar", "color": _colour(colour) if isinstance(colour, str) else "#0072B2"} | wide | label
        case (("heatmap" | "surface"), _):
            return {"kind": "cells", "cmap": "viridis"} if trace.get("type") == "heatmap" else None
        case _, "text":
            return {
                "kind": "text",
                "ha": "center",
                "color": _colour((trace.get("textfont") or {}).get("color", "#333333")),
            }
        case _, "markers":
            size = marker.get("size", 6)
            size = size if isinstance(size, int | float) else 6
            colour = marker.get("color", "#0072B2")
            return {
                "kind": "points",
                "s": round((size * 0.75) ** 2, 2),
                "marker": _SYMBOLS.get(marker.get("symbol", "circle"), "o"),
                "color": _colour(colour) if isinstance(colour, str) else "#0072B2",
            } | label
    if trace.get("stackgroup"):
        return {
            "kind": "stack",
            "color": _colour(trace.get("fillcolor") or line.get("color", "#888888")),
            "alpha": 0.6,
        } | label
    if trace.get("fill") in ("toself", "tonexty"):
        kind = "area" if trace["fill"] == "toself" else "between"
        return {"kind": kind, "color": _colour(trace.get("fillcolor", "#cccccc")), "linewidth": 0} | label
    if not line.get("width", 1):
        return None
    return (
        {"kind": "line", "alpha": opacity} | stroke | ({} if str(trace.get("name", "")).endswith(", path") else label)
    )


def _axes(sheet: Sheet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    scene = sheet.layout.get("scene") or {}
    for letter in "xyz":
        axis = scene.get(f"{letter}axis") or sheet.layout.get(f"{letter}axis") or {}
        title = (axis.get("title") or {}).get("text")
        if title:
            found[f"{letter}label"] = _quiet(title)
        ends = axis.get("range")
        if ends and None not in ends and axis.get("type") != "log":
            found[f"{letter}lim"] = tuple(ends)
        if axis.get("type") == "log":
            found[f"{letter}scale"] = "log"
    if "scaleanchor" in (sheet.layout.get("yaxis") or {}):
        found["aspect"] = "equal"
    return found


def _colour(text: str) -> Any:
    """A CSS colour as matplotlib takes it."""
    if text.startswith("rgba("):
        red, green, blue, alpha = (float(part) for part in text[5:-1].split(","))
        return (round(red / 255, 4), round(green / 255, 4), round(blue / 255, 4), alpha)
    return text


def _quiet(text: str) -> str:
    """Words of a run, which a stranger may have chosen, as they can stand inside a docstring."""
    return (
        text.replace("\\", "/")
        .replace('"""', "'''")
        .replace("<br>", " ")
        .replace("<b>", "")
        .replace("</b>", "")
        .rstrip('"')
    )
