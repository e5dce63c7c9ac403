"""What many figures are put together from: lines, bands, corner labels, units that can be picked."""

import html
import textwrap
from collections.abc import Sequence
from typing import Any

from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import Theme, label

# Distance of two labels on a low card, as a share of its plot's height.
LOW = 0.17


def line(name: str, x: Any, y: Any, colour: str, *, hover: str = "%{y:.3g}", width: float = 2, **more: Any) -> dict[str, Any]:
    """One curve; ``dash`` and other trace settings go through ``more``."""
    stroke = {"color": colour, "width": width} | ({"dash": more.pop("dash")} if "dash" in more else {})
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": stroke,
        "hovertemplate": f"{name}, %{{x}}: {hover}<extra></extra>",
    } | more


def over_epochs(name: str, row: str, colour: str, *, hover: str = "%{y:.3g}", **more: Any) -> dict[str, Any]:
    """One number an epoch; ``col`` takes one entry of a row of several."""
    which = {"col": more.pop("col")} if "col" in more else {}
    drawn = line(name, ref("@epoch", "all"), ref(row, "all", **which), colour, hover=hover, **more)
    return drawn | {"hovertemplate": f"{name}, epoch %{{x}}: {hover}<extra></extra>"}


def spread(theme: Theme, low: Any, high: Any, fill: str, x: Any = None) -> list[dict[str, Any]]:
    """A quiet band between two curves."""
    x = ref("@epoch", "all") if x is None else x
    shared = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        shared | {"name": "upper end", "y": high},
        shared | {"name": "lower end", "y": low, "fill": "tonexty", "fillcolor": fill},
    ]


# What moves with a slider lies over the figure on screen (``assets/marks.js``): moving it redraws no curve.
MARK = {"name": "mark"}


def now(theme: Theme) -> dict[str, Any]:
    """Where the scrubber stands on an axis of epochs."""
    return upright(ref("@epoch"), theme.accent) | {"name": "now"}


def upright(x: Any, colour: str, dash: str = "dot") -> dict[str, Any]:
    """A line from bottom to top at one place of the x axis."""
    stroke = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": stroke}


def level(y: Any, colour: str, dash: str = "dot") -> dict[str, Any]:
    """A line from left to right at one place of the y axis."""
    stroke = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": stroke}


def corner(
    theme: Theme,
    lines: Sequence[tuple[Any, str]],
    *,
    right: bool = True,
    bottom: bool = False,
    top: float = 0.99,
    step: float = 0.1,
) -> list[dict[str, Any]]:
    """Direct labels, one below the other in a corner, each in the colour of its curve.

    ``step`` is their distance as a share of the plot's height: LOW on low cards.
    """
    notes = []
    for i, (text, colour) in enumerate(lines):
        y = 0.03 + step * (len(lines) - 1 - i) if bottom else top - step * i
        place = {"x": 0.99 if right else 0.01, "xanchor": "right" if right else "left"}
        place |= {"y": y, "yanchor": "bottom" if bottom else "top", "xref": "paper", "yref": "paper"}
        notes.append(label(theme, text, colour, **place))
    return notes


def colour_bar(theme: Theme, title: str, **more: Any) -> dict[str, Any]:
    """What the colours of a figure mean, as quiet as its axes."""
    font = {"size": 12, "color": theme.muted}
    return {
        "title": {"text": title, "side": "right", "font": dict(font)},
        "tickfont": font,
        "thickness": 8,
        "outlinewidth": 0,
    } | more


def middle(theme: Theme, text: Any) -> dict[str, Any]:
    """Why a figure is empty, said where its curves would be."""
    place = {"x": 0.5, "xanchor": "center", "y": 0.5, "yanchor": "middle", "xref": "paper", "yref": "paper"}
    font = {"size": 13, "color": theme.muted}
    # A whole sentence would run out of a small figure at both ends.
    text = wrapped(text, 44) if isinstance(text, str) else text
    return {"text": text, "showarrow": False, "font": font, "align": "center"} | place


def wrapped(text: str, width: int = 56) -> str:
    """With line breaks, for a sentence that stands inside a figure."""
    return "<br>".join(textwrap.wrap(html.escape(text), width))


def picked_units(theme: Theme, x: str, y: str, noun: str, *, like: str = "", **marker: Any) -> list[dict[str, Any]]:
    """A point a unit that can be selected, and rings around those that are.

    Parameters
    ----------
    x, y : names of rows with one value a unit
    noun : what a unit is called, in the singular
    like : row with one value a unit, for the units' numbers; ``x`` unless given
    """
    dots = {"size": 6, "color": theme.data[0], "opacity": 0.8, "line": {"width": 0.6, "color": theme.panel}}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": noun,
            "meta": {"select": "unit"},
            "x": ref(x),
            "y": ref(y),
            "text": ref("@unit", like=like or x),
            "marker": dots | marker,
            "hovertemplate": f"{noun} %{{text}} · %{{x:.3g}} · %{{y:.3g}}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "selected",
            "x": ref(x, among="sel"),
            "y": ref(y, among="sel"),
            "marker": {"size": 12, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": theme.accent}},
            "hoverinfo": "skip",
        },
    ]
