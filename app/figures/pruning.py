"""How accuracy under removal is drawn."""

from typing import Any

from prunescope.app.figures.pieces import MARK, colour_bar, upright
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import DASHES, PERCENT, Theme, axis, base_layout, label

# How the curve was computed, for the readout.
PATH_WORDS = {
    "linear-consumer": "fast path: next layer built up",
    "conv-consumer": "fast path: next convolution built up",
    "prefix": "slower path: what comes before computed once",
    "full": "slowest path: the whole network at every level",
}


def _line(name: str, x: str, row: str, colour: str, dash: str, width: float = 2) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": ref(x),
        "y": ref(row),
        "line": {"color": colour, "width": width, "dash": dash},
        "hovertemplate": "%{x:.1%} removed: %{y:.1%}<extra>" + name + "</extra>",
    }


def _band(name: str, x: str, low: str, high: str, fill: str) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "x": ref(x), "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        edge | {"name": f"{name}, upper", "y": ref(high)},
        edge | {"name": f"{name}, lower", "y": ref(low), "fill": "tonexty", "fillcolor": fill},
    ]


# Small curves that a card has room for.
MULTIPLES = 8
STRIP_LEVELS = 25
# Names beside the curves that do not run into the axis.
LABELLED = 9

AXES = {
    "units": ("share", "units removed"),
    "params": ("share_params", "parameters removed, of the whole network"),
    "macs": ("share_macs", "multiply-adds removed, of the whole network"),
}


# Beside the criterion and its other end: colours and dashes of more criteria, told apart without colour as well.
BESIDE = ((2, "dash"), (3, "longdash"), (4, "dot"), (5, "longdashdot"))


def curve(theme: Theme, also: int, by: str) -> dict[str, Any]:
    """Measured accuracy against what is removed (``by`` units, params or macs), the slider's place marked.

    ``also`` counts the criteria drawn beside the main one.
    """
    x, title = AXES[by]
    data = [
        *_band("random, mean ± sd", x, "random_low", "random_high", theme.null_soft),
        *_band("95 % interval", x, "low", "high", theme.band),
        _line("random", x, "random", theme.null, "dot"),
        _line("other end first", x, "reverse", theme.data[1], "dashdot"),
    ]
    rows = [("label_main", theme.data[0])]
    for i in range(also):
        colour, dash = theme.data[BESIDE[i % len(BESIDE)][0]], BESIDE[i % len(BESIDE)][1]
        data.append(_line(f"criterion {i + 2}", x, f"also{i}", colour, dash))
        rows.append((f"label_also{i}", colour))
    data += [_line("criterion", x, "main", theme.data[0], "solid", 2.5)]
    rows += [("label_random", theme.null), ("label_reverse", theme.data[1])]
    notes = [
        label(theme, ref(name), colour, x=1.012, xref="paper", y=0.97 - 0.1 * i, yref="paper", yanchor="top")
        for i, (name, colour) in enumerate(rows)
    ]
    slider: dict[str, Any] = {"pick": "frac", "scale": 100}
    cursor = upright(ref(x, **slider), theme.accent) | MARK
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 52, "r": 214, "t": 12, "b": 44},
            annotations=notes,
            shapes=[cursor, _handle(theme, theme.accent, ref(x, **slider), ref("main", **slider), 6)],
            xaxis=axis(theme, title, tickformat=PERCENT, showgrid=False)
            | ({"range": [0, 1.004]} if by == "units" else {"rangemode": "tozero"}),
            yaxis=axis(theme, "accuracy, measured", range=[0, 1.02], tickformat=PERCENT),
        ),
    }


def _handle(theme: Theme, colour: str, x: Any, y: Any, radius: float) -> dict[str, Any]:
    """A slider's place on a curve."""
    return MARK | {
        "type": "circle",
        "xref": "x",
        "yref": "y",
        "xsizemode": "pixel",
        "ysizemode": "pixel",
        "xanchor": x,
        "yanchor": y,
        "x0": -radius,
        "x1": radius,
        "y0": -radius,
        "y1": radius,
        "fillcolor": theme.panel,
        "line": {"width": 3, "color": colour},
    }


def mixed(theme: Theme, names: list[str]) -> dict[str, Any]:
    """Each layer's own curve, all others whole, with a mark at the share that its slider removes."""
    data, notes, handles = [], [], []
    for i, name in enumerate(names):
        colour, dash = theme.data[i % len(theme.data)], DASHES[i % len(DASHES)]
        key = f"mix:{name}"
        data.append(_line(name, f"share{i}", f"accuracy{i}", colour, dash))
        place = (ref(f"{row}{i}", pick=key, scale=100) for row in ("share", "accuracy"))
        handles.append(_handle(theme, colour, *place, 5))
        # A column of names has room for these many; the others are told by pointing at their lines.
        if i < LABELLED:
            notes.append(
                label(theme, name, colour, x=1.012, xref="paper", y=0.97 - 0.1 * i, yref="paper", yanchor="top")
            )
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 52, "r": 214, "t": 12, "b": 44},
            annotations=notes,
            shapes=handles,
            xaxis=axis(theme, "units of one layer removed, all others whole", tickformat=PERCENT, showgrid=False)
            | {"range": [0, 1.004]},
            yaxis=axis(theme, "accuracy, measured", range=[0, 1.02], tickformat=PERCENT),
        ),
    }


def ablation(theme: Theme, noun: str, n_units: int) -> dict[str, Any]:
    """Accuracy lost when one unit is removed alone; units in the criterion's order, those gone pale."""
    bars = {
        "type": "bar",
        "name": "alone",
        "x": ref("@unit", like="units"),
        "y": ref("drop"),
        "text": ref("units"),
        "hovertemplate": f"{noun} %{{text}}: %{{y:.2f}} points<extra></extra>",
        "meta": {"select": "unit"},
        "textposition": "none",
        "marker": {"color": theme.data[0], "line": {"width": 0}},
    }
    # The border stands between two bars, and its words at either side of it.
    place = ref("share", pick="frac", scale=100, times=n_units, plus=-0.5)
    border = {"xref": "x", "yref": "paper", "x": place, "y": 1, "yanchor": "bottom", "font": {"size": 12}}
    left = -0.5 - 0.01 * n_units
    quiet = border | {"font": {"size": 12, "color": theme.muted}, "bgcolor": "rgba(0,0,0,0)"}
    return {
        "data": [bars],
        "layout": base_layout(
            theme,
            bargap=0.15,
            margin={"l": 52, "r": 16, "t": 22, "b": 30},
            annotations=[
                label(theme, ref(words, pick="frac", scale=100), theme.muted, **quiet, xanchor=side, xshift=shift) | MARK
                for words, side, shift in (("removed", "right", -6), ("kept", "left", 6))
            ],
            # What is removed is veiled: moving a veil redraws no bar.
            shapes=[
                MARK
                | {
                    "type": "rect",
                    "xref": "x",
                    "yref": "paper",
                    "x0": left,
                    "x1": place,
                    "y0": 0,
                    "y1": 1,
                    "fillcolor": theme.panel,
                    "opacity": 0.65,
                    "line": {"width": 0},
                },
                upright(place, theme.accent) | MARK | {"y1": 1.12},
            ],
            xaxis=axis(theme, "units in the order of removal", showgrid=False, showticklabels=False)
            | {"range": [left, n_units - 1 - left]},
            yaxis=axis(theme, "points lost"),
        ),
    }


def sensitivity(theme: Theme, names: list[str]) -> dict[str, Any]:
    """How far each layer alone can be pruned: a small curve each, or a strip each where they are many."""
    return _strips(theme, names) if len(names) > MULTIPLES else _small_curves(theme, names)


def _small_curves(theme: Theme, names: list[str]) -> dict[str, Any]:
    columns = min(4, max(1, len(names)))
    rows = -(-len(names) // columns)
    data, layout = [], base_layout(theme, margin={"l": 40, "r": 8, "t": 6, "b": 4}, annotations=[])
    for i in range(len(names)):
        suffix = "" if i == 0 else str(i + 1)
        column, row = i % columns, i // columns
        left, top = column / columns, 1 - row / rows
        # Under each curve there is room for its name and its limit.
        wide, high = 1 / columns - 0.035, 1 / rows - 0.26
        own = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        data.append(_line(names[i], f"share{i}", f"accuracy{i}", theme.data[0], "solid") | own)
        data.append(_limit(theme, names[i], [ref(f"end{i}")], [ref(f"below{i}")]) | own)
        layout[f"xaxis{suffix}"] = axis(
            theme, "", domain=[left, left + wide], anchor=f"y{suffix}", range=[0, 1.02], showgrid=False,
            showticklabels=False,
        )  # fmt: skip
        layout[f"yaxis{suffix}"] = axis(
            theme, "", domain=[top - high, top], anchor=f"x{suffix}", range=[0, 1.04], tickformat=PERCENT,
            showticklabels=column == 0, nticks=4,
        )  # fmt: skip
        place = {"x": left + wide / 2, "y": top - high - 0.03, "xref": "paper", "yref": "paper"}
        style = {"xanchor": "center", "yanchor": "top", "align": "center", "font": {"size": 12, "color": theme.muted}}
        layout["annotations"].append(label(theme, ref("said", col=i), theme.ink, **place, **style))
    return {"data": data, "layout": layout}


def _strips(theme: Theme, names: list[str]) -> dict[str, Any]:
    return {
        "data": [
            {
                "type": "heatmap",
                "name": "accuracy",
                "x": ref("grid"),
                "y": names,
                "z": ref("strips", shape=[len(names), STRIP_LEVELS]),
                "zmin": 0,
                "zmax": 1,
                "ygap": 1,
                "colorscale": [[0, theme.ground], [0.5, theme.ramp[0]], [1, theme.ramp[1]]],
                "showscale": False,
                "hovertemplate": "%{y}, %{x:.0%} removed: %{z:.1%}<extra></extra>",
            },
            _limit(theme, "layer", [ref(f"end{i}") for i in range(len(names))], names),
        ],
        "layout": base_layout(
            theme,
            margin={"l": 128, "r": 8, "t": 6, "b": 40},
            xaxis=axis(theme, "removed; the mark: 1 % loss", tickformat=PERCENT, showgrid=False),
            yaxis=axis(theme, "", autorange="reversed", showgrid=False, type="category") | {"nticks": len(names)},
        ),
    }


def _limit(theme: Theme, name: str, x: Any, y: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name}, 1 % loss",
        "x": x,
        "y": y,
        "marker": {"size": 7, "color": theme.panel, "line": {"width": 2, "color": theme.data[0]}},
        "hoverinfo": "skip",
    }


def surface(theme: Theme) -> dict[str, Any]:
    """Accuracy over epochs and shares removed: since when is the layer prunable?"""
    return {
        "data": [
            {
                "type": "heatmap",
                "name": "accuracy",
                "x": ref("@epoch", "until"),
                "y": ref("share"),
                "z": ref("accuracy", "matrix"),
                "zmin": 0,
                "zmax": 1,
                "colorscale": [[0, theme.ground], [0.5, theme.ramp[0]], [1, theme.ramp[1]]],
                "colorbar": colour_bar(theme, "accuracy", tickformat=PERCENT, nticks=4),
                "hovertemplate": "epoch %{x}, %{y:.0%} removed: %{z:.1%}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "one point lost",
                "x": ref("@epoch", "until"),
                "y": ref("limit", "until"),
                "line": {"color": theme.data[1], "width": 2},
                "hovertemplate": "epoch %{x}: %{y:.0%} can go for one point<extra></extra>",
            },
        ],
        "layout": base_layout(
            theme,
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "removed", tickformat=PERCENT, range=[0, 1]),
        ),
    }


def texts() -> dict[str, Any]:
    return {
        "pruning-finding": ref("finding", pick="loss", scale=10),
        "pruning-sub": ref("sub"),
        "pruning-big": ref("big", pick="frac", scale=100),
        "pruning-big-error": ref("big_error", pick="frac", scale=100),
        "pruning-big-note": ref("note", pick="frac", scale=100),
        "pruning-exact": ref("exact"),
        "pruning-estimate": ref("estimate"),
        "pruning-path": ref("path"),
    }


def frame_potential(theme: Theme) -> dict[str, Any]:
    """Frame potential of the units left, along the same order as the curve (the seed author's drawing)."""

    def line(name: str, row: str, colour: str, dash: str) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": ref("share"),
            "y": ref(row),
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": name + ", %{x:.0%} removed: %{y:.4f}<extra></extra>",
        }

    return {
        "data": [
            line("of this order", "potential", theme.data[0], "solid"),
            line("random directions", "potential_null", theme.null, "dot"),
        ],
        "layout": base_layout(
            theme,
            xaxis=axis(theme, "units removed", range=[0, 1], tickformat=PERCENT, showgrid=False),
            yaxis=axis(theme, "FP / n²", type="log", tickvals=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)),
        ),
    }
