"""How redundancy, norms and the race between units are drawn."""

from typing import Any

from prunescope.app.figures.pieces import colour_bar, corner, level, line, now, over_epochs, picked_units, spread
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import DASHES, Theme, axis, base_layout, blend, label

MEASURES = {"without_fp": "change of FP", "without_ip": "change of |cosine|", "without_raw": "change of raw FP"}
RIDGES = 12
MOST_LABELS = 6


def _per_layer(theme: Theme, names: list[str], row: str, hover: str) -> list[dict[str, Any]]:
    """A curve a layer, told apart by colour and by dash, as on the overview."""
    count = len(theme.data)
    return [
        over_epochs(name, row, theme.data[i % count], hover=hover, col=i, dash=DASHES[i // count % len(DASHES)])
        for i, name in enumerate(names)
    ]


def _chance(theme: Theme, names: list[str], row: str) -> list[dict[str, Any]]:
    return [
        over_epochs("random directions", row, theme.null, col=i, width=1, dash="dot")
        # Hovering tells whose chance it is; a key need not.
        | {"hovertemplate": f"{name}, random directions, epoch %{{x}}: %{{y:.4f}}<extra></extra>"}
        for i, name in enumerate(names)
    ]


def frame_potentials(theme: Theme, names: list[str], kind: str) -> dict[str, Any]:
    """Every layer's frame potential over epochs; ``kind`` "chance": over its expectation, "pair": over N²."""
    shared = {"xaxis": axis(theme, "epoch", showgrid=False), "shapes": [now(theme)]}
    if kind == "pair":
        data = _chance(theme, names, "fp_null") + _per_layer(theme, names, "fp_share", "%{y:.4f}")
        y = axis(theme, "frame potential / N²", rangemode="tozero")
        notes = corner(theme, [("dotted: random directions", theme.null)])
    else:
        data = _per_layer(theme, names, "fp_ratio", "%{y:.2f} × chance")
        shared["shapes"] = [now(theme), level(1, theme.null, "solid")]
        y = axis(theme, "frame potential, × random", rangemode="normal")
        place = {"x": 0.01, "xref": "paper", "y": 1, "yref": "y", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
        notes = [label(theme, "random directions", theme.null, **place)]
    row = "fp_share" if kind == "pair" else "fp_ratio"
    notes += _names_at_the_scrubber(theme, names, row)
    return {"data": data, "layout": base_layout(theme, yaxis=y, annotations=notes, **shared)}


def _names_at_the_scrubber(theme: Theme, names: list[str], row: str) -> list[dict[str, Any]]:
    """Each curve's layer, written on it; past a handful the list beside the figure tells them apart."""
    if len(names) > MOST_LABELS:
        return []
    place = {"x": ref("@epoch"), "xref": "x", "yref": "y", "xanchor": "right", "yanchor": "bottom"}
    return [
        label(theme, f"{name} ", theme.data[i % len(theme.data)], **place, y=ref(row, col=i))
        for i, name in enumerate(names)
    ]


def inner_products(theme: Theme, names: list[str]) -> dict[str, Any]:
    """Mean |cosine| of every layer over epochs, with its expectation for random directions."""
    data = _chance(theme, names, "ip_null") + _per_layer(theme, names, "ip", "%{y:.4f}")
    return {
        "data": data,
        "layout": base_layout(
            theme,
            shapes=[now(theme)],
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "mean |cosine|", rangemode="tozero"),
        ),
    }


def without_each(theme: Theme, noun: str, measure: str) -> dict[str, Any]:
    """Norm of each unit against what its absence does to the layer's redundancy."""
    return {
        "data": picked_units(theme, "norms", measure, noun),
        "layout": base_layout(
            theme,
            margin={"l": 66, "r": 16, "t": 12, "b": 44},
            shapes=[level(0, theme.null)],
            xaxis=axis(theme, "norm", rangemode="tozero"),
            yaxis=axis(theme, MEASURES[measure], ticksuffix=" %"),
        ),
    }


def norm_course(theme: Theme) -> dict[str, Any]:
    """Least to largest norm over epochs: the range, the middle eight tenths, the middle half, the median."""

    def at(column: int) -> dict[str, Any]:
        return ref("percentiles", "all", col=column)

    data = [
        *spread(theme, at(1), at(5), theme.band),
        *spread(theme, at(2), at(4), theme.band),
        over_epochs("largest and smallest", "percentiles", theme.data[0], col=6, width=1, dash="dot"),
        over_epochs("largest and smallest", "percentiles", theme.data[0], col=0, width=1, dash="dot"),
        over_epochs("median", "percentiles", theme.data[0], col=3),
    ]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            shapes=[now(theme)],
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "norm", rangemode="tozero"),
        ),
    }


def norm_ridges(theme: Theme) -> dict[str, Any]:
    """Smoothed histograms of the norms at equally spaced epochs, the first at the back."""
    data = []
    for i in range(RIDGES):
        colour = blend(*theme.ramp, i / (RIDGES - 1))
        hole: dict[str, Any] = {"i": i, "of": RIDGES}
        height = ref("norm_density", "spaced", **hole, times=2.6, plus=float(RIDGES - i))
        data.append(line(f"line {i + 1}", ref("norm_grid", "spaced", **hole), height, colour, width=1.6))
        data[-1] |= {"showlegend": False, "hoverinfo": "skip", "hovertemplate": None}
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 16, "r": 16, "t": 8, "b": 40},
            xaxis=axis(theme, "norm", rangemode="tozero"),
            yaxis=axis(theme, visible=False),
        ),
    }


def norm_to_init(theme: Theme, noun: str) -> dict[str, Any]:
    """Norm of each unit against the cosine to its own initialisation."""
    return {
        "data": picked_units(theme, "norms", "to_init", noun),
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(ref("init_said"), theme.data[0])]),
            xaxis=axis(theme, "norm", rangemode="tozero"),
            yaxis=axis(theme, "cosine to epoch 0", range=[None, 1.05]),
        ),
    }


def race(theme: Theme, noun: str, early: str, strength: str) -> dict[str, Any]:
    """Who pointed the right way early, against who has grown (Pinson 2026)."""
    colours: dict[str, Any] = {
        "color": ref("norms"),
        "colorscale": [[0, theme.ramp[0]], [1, theme.data[1]]],
        "showscale": True,
        "colorbar": colour_bar(theme, "norm", len=0.8, nticks=4),
    }
    return {
        "data": picked_units(theme, "race_x", "race_y", noun, **colours),
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(ref("race_said"), theme.muted)], right=False),
            xaxis=axis(theme, f"cosine of {early} to the direction of the epoch shown"),
            yaxis=axis(theme, strength, rangemode="tozero"),
        ),
    }


def texts() -> dict[str, Any]:
    return {
        "structure-finding": ref("finding"),
        "structure-sub": ref("sub"),
        "structure-big": ref("big"),
        "structure-big-error": ref("big_error"),
        "structure-z": ref("z_text"),
        "structure-init": ref("init_said"),
    }


def layer_list(names: list[str], theme: Theme) -> list[dict[str, Any]]:
    return [{"colour": theme.data[i % len(theme.data)], "text": ref("layer_lines", col=i)} for i in range(len(names))]
