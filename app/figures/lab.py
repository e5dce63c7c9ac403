"""How many runs are drawn together: means with their spread, one line a group.

What is drawn here is not about one epoch of one run, so nothing is left open for rows to fill in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.figures.pieces import corner, middle, spread
from prunescope.app.figures.theme import DASHES, PERCENT, SYMBOLS, Theme, axis, base_layout, blend

MOST_LABELS = 8
MOST_LABELS_LOW = 5
FEW_BANDS = 4
MOST_TICKS = 14
PERCENT_TICKS = (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A quantity of one group of runs along something.

    Attributes
    ----------
    x, mean, sd : (n_points,); sd is nan where only one run is behind a point
    n : (n_points,) runs behind each point
    colour : place in the theme's data colours; -1 is the grey of controls
    counted : what n counts, for the label; "" leaves it out
    labelled, points : whether its name stands in the corner, and its points on the line
    """

    name: str
    x: Sequence[Any]
    mean: Sequence[float]
    sd: Sequence[float]
    n: Sequence[int]
    colour: int = 0
    dash: int = 0
    symbol: str = "circle"
    counted: str = "n"
    labelled: bool = True
    points: bool = True

    def label(self) -> str:
        """Its name and how many runs are behind it."""
        if not self.counted:
            return self.name
        counts = [n for n in self.n if n]
        if not counts:
            return f"{self.name} · no run yet"
        few, many = min(counts), max(counts)
        equals = "=" if self.counted == "n" else " "
        return f"{self.name} · {self.counted}{equals}{few}" + (f"–{many}" if many > few else "")


@dataclass(frozen=True, kw_only=True)
class Look:
    """The axes of a figure of several series; `low` is for low cards, `empty` says why nothing is drawn yet."""

    x: str
    y: str
    x_percent: bool = False
    x_log: bool = False
    x_categories: bool = False
    y_percent: bool = False
    empty: str = ""
    low: bool = False
    points: bool = True
    more: dict[str, Any] = field(default_factory=dict)


def paint(theme: Theme, colour: int) -> str:
    return theme.null if colour < 0 else theme.data[colour % len(theme.data)]


def soft(colour: str, bands: int) -> str:
    """The same colour as a quiet band, the quieter the more of them lie over each other."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{0.15 if bands <= FEW_BANDS else 0.07})"


def with_spread(theme: Theme, series: Sequence[Series], look: Look) -> dict[str, Any]:
    """Mean ± sd of each series; a point that one run alone stands behind is hollow."""
    data: list[dict[str, Any]] = []
    for one in series:
        mean, sd = np.asarray(one.mean, float), np.nan_to_num(np.asarray(one.sd, float))
        # A band around single runs would have no height, and say something that is not known.
        if sd.any() and not look.x_categories:
            data += spread(theme, list(mean - sd), list(mean + sd), soft(paint(theme, one.colour), len(series)), x=list(one.x))
    for one in series:
        data.append(_line(theme, one, look))
    named = [one for one in series if one.labelled]
    notes = [middle(theme, look.empty)] if look.empty and not series else _labels(theme, named, series, look)
    layout = base_layout(theme, annotations=notes, xaxis=_x_axis(theme, series, look), yaxis=_y_axis(theme, look))
    return {"data": data, "layout": layout if series else without_axes(layout)}


def without_axes(layout: dict[str, Any]) -> dict[str, Any]:
    """Nothing to measure yet: numbers at an axis would be invented."""
    return layout | {name: layout[name] | {"visible": False} for name in ("xaxis", "yaxis")}


def _labels(theme: Theme, named: Sequence[Series], series: Sequence[Series], look: Look) -> list[dict[str, Any]]:
    """Labels in the corner that the curves leave most free."""
    most = MOST_LABELS_LOW if look.low else MOST_LABELS
    ends = [(one.label(), paint(theme, one.colour)) for one in named[:most]]
    if len(named) > most:
        ends.append((f"and {len(named) - most} more", theme.muted))
    step = 0.13 if look.low else 0.075
    right, bottom = free_corner(series, look, width=0.45 if look.low else 0.3, height=min(0.9, step * len(ends)))
    return corner(theme, ends, right=right, bottom=bottom, step=step)


def free_corner(series: Sequence[Series], look: Look, *, width: float, height: float) -> tuple[bool, bool]:
    """(right, bottom) of the corner in which the fewest parts of the curves lie; both shares of the plot."""
    xs, ys = [], []
    for one in series:
        x = np.arange(len(one.x), dtype=float) if look.x_categories else np.asarray(one.x, float)
        x = -np.log(np.maximum(x, 1e-12)) if look.x_log and look.x_percent else np.log(x) if look.x_log else x
        y = np.asarray(one.mean, float)
        known = np.isfinite(x) & np.isfinite(y)
        if known.any():
            at = np.linspace(0, known.sum() - 1, 60)
            steps = np.arange(known.sum())
            xs.append(np.interp(at, steps, x[known]))
            ys.append(np.interp(at, steps, y[known]))
    if not xs:
        return False, True
    x, y = np.concatenate(xs), np.concatenate(ys)
    low = min(0.0, float(y.min())) if look.more.get("rangemode") == "tozero" else float(y.min())
    across = (x - x.min()) / (np.ptp(x) or 1.0)
    up = (y - low) / ((y.max() - low) or 1.0)

    def crowd(place: tuple[bool, bool]) -> int:
        right, bottom = place
        beside = across > 1 - width if right else across < width
        return int((beside & (up < height if bottom else up > 1 - height)).sum())

    # Of equally free ones the first: where the eye looks for a legend of these figures.
    return min(((False, True), (True, True), (True, False), (False, False)), key=crowd)


def _line(theme: Theme, one: Series, look: Look) -> dict[str, Any]:
    colour = paint(theme, one.colour)
    sd = np.asarray(one.sd, float)
    share = ".1%" if look.y_percent else ".4g"
    told = ["n=1" if n == 1 else f"± {format(d, share)}, n={n}" for d, n in zip(sd, one.n, strict=True)]
    x = "%{x:.1%}" if look.x_percent else "%{x}"
    drawn: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": one.name,
        "x": list(one.x),
        "y": list(one.mean),
        "text": told,
        "line": {"color": colour, "width": 2, "dash": DASHES[one.dash % len(DASHES)]},
        "marker": {
            "size": 7,
            "symbol": one.symbol,
            "color": [theme.panel if n == 1 else colour for n in one.n],
            "line": {"width": 1.6, "color": colour},
        },
        "hovertemplate": f"{one.name}, {x}: %{{y:{share}}} %{{text}}<extra></extra>",
    }
    if not (look.points and one.points):
        drawn["mode"] = "lines"
    if look.x_categories:
        # A line between names would be a course that there is not.
        drawn["mode"] = "markers"
        drawn["error_y"] = {"type": "data", "array": np.nan_to_num(sd).tolist(), "color": colour, "thickness": 1.4}
    return drawn


def _x_axis(theme: Theme, series: Sequence[Series], look: Look) -> dict[str, Any]:
    if look.x_categories:
        return axis(theme, look.x, showgrid=False, type="category", automargin=True)
    if not look.x_log:
        return axis(theme, look.x, showgrid=False, **({"tickformat": PERCENT} if look.x_percent else {}))
    least = min((float(x) for one in series for x in one.x if x > 0), default=0.1)
    if not look.x_percent:
        # The values themselves: the digits between powers of ten would say nothing of them.
        ticks = sorted({float(x) for one in series for x in one.x})[:MOST_TICKS]
        words = [f"{tick:g}" for tick in ticks]
        return axis(theme, look.x, showgrid=False, type="log", tickvals=ticks, ticktext=words)
    # From the whole network at the left to the smallest at the right: the way in which pruning goes.
    ticks = [tick for tick in PERCENT_TICKS if tick > least * 0.8]
    words = [f"{100 * tick:g} %" for tick in ticks]
    ends = [np.log10(1.06), np.log10(least * 0.94)]
    return axis(theme, look.x, showgrid=False, type="log", range=ends, tickvals=ticks, ticktext=words)


def _y_axis(theme: Theme, look: Look) -> dict[str, Any]:
    return axis(theme, look.y, **({"tickformat": PERCENT} if look.y_percent else {}), **look.more)


def curves(
    theme: Theme, lines: Sequence[tuple[str, Sequence[float], Sequence[float]]], *, y: str, percent: bool, empty: str
) -> dict[str, Any]:
    """Learning curves of one arm, a line a level: the darker, the less remains; first and last are named."""
    data, ends = [], []
    for i, (name, epochs, values) in enumerate(lines):
        colour = blend(*theme.ramp, 1 - i / max(1, len(lines) - 1) * 0.75) if i else theme.null
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": list(epochs),
                "y": list(values),
                "line": {
                    "color": colour,
                    "width": 2 if i in (0, len(lines) - 1) else 1.3,
                    "dash": "solid" if i else "dot",
                },
                "hovertemplate": f"{name}, epoch %{{x}}: %{{y:{'.1%' if percent else '.3g'}}}<extra></extra>",
            }
        )
        if i in (0, 1, len(lines) - 1):
            ends.append((name, theme.muted if i else theme.null))
    layout = base_layout(
        theme,
        annotations=corner(theme, ends, bottom=True, step=0.13) if data else [middle(theme, empty)],
        xaxis=axis(theme, "epoch", showgrid=False),
        yaxis=axis(theme, y, **({"tickformat": PERCENT} if percent else {})),
    )
    return {"data": data, "layout": layout if data else without_axes(layout)}


def survivors(theme: Theme, points: Sequence[tuple[str, Any, Any]], note: str, empty: str) -> dict[str, Any]:
    """A point a unit: how it was aligned early, and how much of it the masks kept."""
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": list(angles),
            "y": list(kept),
            "marker": {
                "size": 5,
                "opacity": 0.6,
                "symbol": SYMBOLS[i % len(SYMBOLS)],
                "color": theme.data[i % len(theme.data)],
            },
            "hovertemplate": f"{name}: %{{x:.1f}}° early, %{{y:.0%}} kept<extra></extra>",
        }
        for i, (name, angles, kept) in enumerate(points)
    ]
    layout = base_layout(
        theme,
        annotations=corner(theme, [(note, theme.muted)], bottom=False) if data else [middle(theme, empty)],
        xaxis=axis(theme, "angle to the nearest of four centres, early", ticksuffix="°", showgrid=False),
        # Room above for the note: many units are kept whole.
        yaxis=axis(theme, "kept", tickformat=PERCENT, range=[-0.04, 1.22], tickvals=[0, 0.25, 0.5, 0.75, 1]),
    )
    return {"data": data, "layout": layout if data else without_axes(layout)}
