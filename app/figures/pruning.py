"""How accuracy under removal is drawn."""

from typing import Any

from prunescope.app.figures.pieces import colour_bar
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import PERCENT, Theme, axis, base_layout, label

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


AXES = {
    "units": ("share", "units removed"),
    "params": ("share_params", "parameters removed, of the whole network"),
    "macs": ("share_macs", "multiply-adds removed, of the whole network"),
}


def curve(theme: Theme, also: bool, by: str) -> dict[str, Any]:
    """Measured accuracy against what is removed (``by`` units, params or macs), the slider's place marked."""
    x, title = AXES[by]
    data = [
        *_band("random, mean ± sd", x, "random_low", "random_high", theme.null_soft),
        *_band("95 % interval", x, "low", "high", theme.band),
        _line("random", x, "random", theme.null, "dot"),
        _line("other end first", x, "reverse", theme.data[1], "dashdot"),
    ]
    if also:
        data.append(_line("second criterion", x, "also", theme.data[2], "dash"))
    data += [
        _line("criterion", x, "main", theme.data[0], "solid", 2.5),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "slider",
            "x": [ref(x, pick="frac", scale=100)],
            "y": [ref("main", pick="frac", scale=100)],
            "marker": {"size": 12, "color": theme.panel, "line": {"width": 3, "color": theme.accent}},
            "hoverinfo": "skip",
        },
    ]
    rows = [("label_main", theme.data[0]), *([("label_also", theme.data[2])] if also else [])]
    rows += [("label_random", theme.null), ("label_reverse", theme.data[1])]
    notes = [
        label(theme, ref(name), colour, x=1.012, xref="paper", y=0.97 - 0.1 * i, yref="paper", yanchor="top")
        for i, (name, colour) in enumerate(rows)
    ]
    cursor = {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": ref(x, pick="frac", scale=100),
        "x1": ref(x, pick="frac", scale=100),
        "y0": 0,
        "y1": 1,
        "line": {"color": theme.accent, "width": 1, "dash": "dot"},
    }
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 52, "r": 214, "t": 12, "b": 44},
            annotations=notes,
            shapes=[cursor],
            xaxis=axis(theme, title, tickformat=PERCENT, showgrid=False)
            | ({"range": [0, 1.004]} if by == "units" else {"rangemode": "tozero"}),
            yaxis=axis(theme, "accuracy, measured", range=[0, 1.02], tickformat=PERCENT),
        ),
    }


def ablation(theme: Theme, noun: str) -> dict[str, Any]:
    """Accuracy lost when one unit is removed alone; units in the criterion's order, those gone in grey."""
    bar = {
        "type": "bar",
        "hovertemplate": f"{noun} %{{text}}: %{{y:.2f}} points<extra></extra>",
        "meta": {"select": "unit"},
    }
    return {
        "data": [
            bar
            | {
                "name": "removed",
                "x": ref("@unit", like="units", head="frac", scale=100),
                "y": ref("drop", head="frac", scale=100),
                "text": ref("units", head="frac", scale=100),
                "textposition": "none",
                "marker": {"color": theme.null, "opacity": 0.45, "line": {"width": 0}},
            },
            bar
            | {
                "name": "kept",
                "x": ref("@unit", like="units", rest="frac", scale=100),
                "y": ref("drop", rest="frac", scale=100),
                "text": ref("units", rest="frac", scale=100),
                "textposition": "none",
                "marker": {"color": theme.data[0], "line": {"width": 0}},
            },
        ],
        "layout": base_layout(
            theme,
            bargap=0.15,
            xaxis=axis(theme, "units in the order of removal", showgrid=False, showticklabels=False),
            yaxis=axis(theme, "points lost"),
        ),
    }


def sensitivity(theme: Theme, names: list[str]) -> dict[str, Any]:
    """One small curve a layer, all on the same axes' ranges."""
    columns = min(4, max(1, len(names)))
    rows = -(-len(names) // columns)
    data, layout = [], base_layout(theme, margin={"l": 36, "r": 12, "t": 8, "b": 34}, annotations=[])
    for i, name in enumerate(names):
        suffix = "" if i == 0 else str(i + 1)
        column, row = i % columns, i // columns
        left, top = column / columns, 1 - row / rows
        wide, high = 1 / columns - 0.035, 1 / rows - 0.2
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": ref(f"share{i}"),
                "y": ref(f"accuracy{i}"),
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "line": {"color": theme.data[0], "width": 2},
                "hovertemplate": name + ", %{x:.0%} removed: %{y:.1%}<extra></extra>",
            }
        )
        layout[f"xaxis{suffix}"] = axis(
            theme, "", domain=[left, left + wide], anchor=f"y{suffix}", range=[0, 1], tickformat=PERCENT,
            showgrid=False, tickvals=[0, 0.5],
        )  # fmt: skip
        layout[f"yaxis{suffix}"] = axis(
            theme, "", domain=[top - high, top], anchor=f"x{suffix}", range=[0, 1.02], tickformat=PERCENT,
            showticklabels=column == 0, nticks=4,
        )  # fmt: skip
        layout["annotations"].append(
            label(
                theme,
                ref("said", col=i),
                theme.ink,
                x=left + wide / 2,
                y=top - high + 0.02,
                xref="paper",
                yref="paper",
                xanchor="center",
                yanchor="bottom",
                font={"size": 12, "color": theme.muted},
            )
        )
    return {"data": data, "layout": layout}


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
        "pruning-chip": ref("chip"),
        "pruning-chip-note": ref("chip_note"),
        "pruning-after": ref("after", pick="frac", scale=100),
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
