"""How singular values, and what is made of them, are drawn."""

from typing import Any

from prunescope.app.figures.pieces import LOW, corner, level, line, now, over_epochs, picked_units, spread, upright
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import PERCENT, Theme, axis, base_layout, blend

# Lines of the scree plot: the first epoch, the shown one, and some between.
EPOCHS_SHOWN = 8
RANK_TICKS = (1, 2, 3, 4, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500)
TOP_TITLES = {
    "similarity": "mean cosine to the others",
    "residual": "outside the subspace",
    "subspace_similarity": "mean cosine inside the subspace",
}


def scree(theme: Theme) -> dict[str, Any]:
    """Singular values at equally spaced epochs, the shown one in front; grey: the edge of noise."""
    data = []
    for i in range(EPOCHS_SHOWN):
        colour = blend(*theme.ramp, i / (EPOCHS_SHOWN - 1))
        hole = ref("values", "spaced", i=i, of=EPOCHS_SHOWN)
        data.append(line(f"line {i + 1}", None, hole, colour, width=1.4, opacity=0.9))
        data[-1] |= {"x0": 1, "showlegend": False, "hoverinfo": "skip", "hovertemplate": None}
        del data[-1]["x"]
    front = line("now", None, ref("values"), theme.data[0], width=2.4, x0=1)
    front |= {"name": "epoch shown", "hovertemplate": "s of index %{x}: %{y:.3g}<extra></extra>"}
    del front["x"]
    edge = {
        "text": "edge of noise",
        "x": 0.99,
        "xref": "paper",
        "xanchor": "right",
        "y": ref("edge"),
        "yref": "y",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 13, "color": theme.null, "weight": 600},
    }
    return {
        "data": [*data, front],
        "layout": base_layout(
            theme,
            shapes=[level(ref("edge"), theme.null, "dash")],
            annotations=[edge, *corner(theme, [(ref("label_now"), theme.data[0]), ("earlier epochs", theme.muted)])],
            xaxis=axis(theme, "index, from the largest", showgrid=False),
            yaxis=axis(theme, "singular value", rangemode="tozero"),
        ),
    }


def density(theme: Theme) -> dict[str, Any]:
    """Eigenvalues of WWᵀ on a logarithmic axis, and the law of noise of the same scale."""
    bars = {
        "type": "bar",
        "name": "eigenvalues",
        "x": ref("esd_x"),
        "y": ref("esd"),
        "width": ref("esd_width"),
        "marker": {"color": theme.data[0], "opacity": 0.86, "line": {"width": 0}},
        "hovertemplate": "around %{x:.3g}: %{y}<extra></extra>",
    }
    noise = line("Marchenko–Pastur", ref("esd_x"), ref("esd_noise"), theme.null, hover="%{y:.1f} expected")
    noise |= {"fill": "tozeroy", "fillcolor": theme.null_soft}
    labels = [
        (ref("label_above"), theme.data[0]),
        ("Marchenko–Pastur", theme.null),
        (ref("label_below"), theme.muted),
    ]
    # Above the plot: bars fill all of it.
    notes = [
        note | {"y": 1, "yanchor": "bottom", "yshift": 18 * (len(labels) - 1 - i)}
        for i, note in enumerate(corner(theme, labels))
    ]
    return {
        "data": [noise, bars],
        "layout": base_layout(
            theme,
            bargap=0,
            margin={"l": 60, "r": 16, "t": 60, "b": 44},
            annotations=notes,
            xaxis=axis(theme, "eigenvalue of WWᵀ", type="log", showgrid=False, tickformat="~g", dtick="D2"),
            yaxis=axis(theme, "number", rangemode="tozero"),
        ),
    }


def ranks(theme: Theme, full: int) -> dict[str, Any]:
    """Effective and stable rank over epochs, below the most there can be."""
    return {
        "data": [
            over_epochs("effective rank", "rank", theme.data[0], hover="%{y:.1f}"),
            over_epochs("stable rank", "stable", theme.data[1], hover="%{y:.1f}", dash="dash"),
        ],
        "layout": base_layout(
            theme,
            shapes=[now(theme), level(full, theme.null)],
            annotations=corner(
                theme,
                [
                    (ref("label_rank"), theme.data[0]),
                    (ref("label_stable"), theme.data[1]),
                    (f"grey: at most {full}", theme.null),
                ],
                top=0.86,
                step=LOW,
            ),
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "rank", rangemode="tozero"),
        ),
    }


def reconstruction(theme: Theme) -> dict[str, Any]:
    """What is lost with k directions kept, epoch 0 dashed, and the knee."""
    lost = line("epoch shown", None, ref("left"), theme.data[0], hover="%{y:.1%} lost")
    start = line("epoch 0", None, ref("left", "first"), theme.data[1], hover="%{y:.1%} lost", dash="dash")
    del lost["x"], start["x"]
    knee = {
        "type": "scatter",
        "mode": "markers",
        "name": "knee",
        "showlegend": False,
        "x": ref("knee_x"),
        "y": ref("knee_y"),
        "marker": {"size": 10, "color": theme.panel, "line": {"width": 2, "color": theme.data[0]}},
        "hovertemplate": "knee at k = %{x}<extra></extra>",
    }
    return {
        "data": [start, lost, knee],
        "layout": base_layout(
            theme,
            shapes=[upright(ref("knee"), theme.data[0])],
            annotations=corner(theme, [(ref("label_knee"), theme.data[0]), ("epoch 0", theme.data[1])], step=LOW),
            xaxis=axis(theme, "directions kept, k", showgrid=False),
            yaxis=axis(theme, "lost", tickformat=PERCENT, range=[0, 1.02]),
        ),
    }


def split(theme: Theme, above: str, below: str) -> dict[str, Any]:
    """Singular values of the units above and below the norm cutoff."""
    parts = [("above", "selected", theme.data[0], "solid"), ("below", "others", theme.data[1], "dash")]
    data = []
    for name, row, colour, dash in parts:
        data.append(line(name, None, ref(row), colour, dash=dash, x0=1))
        del data[-1]["x"]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(above, theme.data[0]), (below, theme.data[1])], step=LOW),
            xaxis=axis(theme, "index, from the largest", showgrid=False),
            yaxis=axis(theme, "singular value", rangemode="tozero"),
        ),
    }


def residuals(theme: Theme, above: str, below: str, chance: float, fitted: str) -> dict[str, Any]:
    """Share of each weight vector outside the trained subspace over epochs: medians and middle halves."""

    def at(row: str, column: int) -> dict[str, Any]:
        return ref(row, "all", col=column)

    data = []
    parts = [
        ("above", "residual_selected", theme.data[0], "solid"),
        ("below", "residual_others", theme.data[1], "dash"),
    ]
    for _, row, _, _ in parts:
        data += spread(theme, at(row, 0), at(row, 2), theme.null_soft)
    data += [over_epochs(name, row, colour, dash=dash, col=1) for name, row, colour, dash in parts]
    labels = [(above, theme.data[0]), (below, theme.data[1]), (f"grey line: random, {chance:.2f}", theme.null)]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            shapes=[now(theme), level(chance, theme.null)],
            annotations=corner(theme, labels, right=False, bottom=True, step=LOW),
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, f"outside ({fitted})", range=[0, 1.04]),
        ),
    }


def top_norms(theme: Theme, noun: str, measure: str, index: int) -> dict[str, Any]:
    """Norm against what units of large norm may have in common, with r and p."""
    return {
        "data": picked_units(theme, "top_norm", f"top_{measure}", noun),
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(ref("top_said", col=index), theme.data[0])]),
            xaxis=axis(theme, "norm, units above the cutoff"),
            yaxis=axis(theme, TOP_TITLES[measure]),
        ),
    }


def low_rank_swap(theme: Theme) -> dict[str, Any]:
    """Measured accuracy with the layer replaced by W_k; dashed: the share of the norm that W_k keeps."""
    shown = line("accuracy", ref("k"), ref("swap"), theme.data[0], hover="%{y:.1%}")
    shown |= {"mode": "lines+markers", "marker": {"size": 5}}
    kept = line("‖W_k‖ / ‖W‖", ref("k"), ref("swap_norm"), theme.data[1], hover="%{y:.2f}", dash="dash", width=1.5)
    labels = [
        (ref("swap_label"), theme.data[0]),
        ("‖W_k‖ / ‖W‖", theme.data[1]),
        ("grey: whole layer", theme.null),
    ]
    return {
        "data": [*spread(theme, ref("swap_low"), ref("swap_high"), theme.band, ref("k")), kept, shown],
        "layout": base_layout(
            theme,
            shapes=[level(ref("swap_dense"), theme.null)],
            annotations=corner(theme, labels, bottom=True),
            xaxis=axis(theme, "rank k kept", type="log", showgrid=False, tickvals=RANK_TICKS),
            yaxis=axis(theme, "accuracy, measured", tickformat=PERCENT, range=[0, 1.04]),
        ),
    }


def angles_between(theme: Theme) -> dict[str, Any]:
    """Principal angles of two trained subspaces, beside those of random ones."""
    shown = line("principal angles", ref("index"), ref("pair_angles"), theme.data[0], hover="%{y:.1f}°")
    shown |= {"mode": "lines+markers", "marker": {"size": 5}}
    return {
        "data": [line("random", ref("index"), ref("pair_null"), theme.null, hover="%{y:.1f}°", dash="dot"), shown],
        "layout": base_layout(
            theme,
            annotations=corner(
                theme, [("random subspaces", theme.null), (ref("pair_said"), theme.data[0])], bottom=True
            ),
            xaxis=axis(theme, "angle number", showgrid=False, dtick=None),
            yaxis=axis(theme, "principal angle", range=[0, 94], dtick=30, ticksuffix="°"),
        ),
    }


def joint(theme: Theme) -> dict[str, Any]:
    """Directions of both layers' rows stacked, and how much of each belongs to whom."""
    parts = (("this one", "joint_here", theme.data[0]), ("the other", "joint_there", theme.data[1]))
    return {
        "data": [
            {
                "type": "bar",
                "name": name,
                "x": ref("joint_index"),
                "y": ref(row),
                "marker": {"color": colour, "line": {"width": 0}},
                "hovertemplate": f"{name}, direction %{{x}}: %{{y:.2f}} %<extra></extra>",
            }
            for name, row, colour in parts
        ],
        "layout": base_layout(
            theme,
            barmode="stack",
            bargap=0.15,
            annotations=corner(
                theme,
                [
                    (ref("label_here"), theme.data[0]),
                    (ref("label_there"), theme.data[1]),
                    (ref("joint_rest"), theme.muted),
                ],
                step=LOW,
            ),
            xaxis=axis(theme, "joint direction", showgrid=False),
            yaxis=axis(theme, "share of weight²", ticksuffix=" %", rangemode="tozero"),
        ),
    }


def texts() -> dict[str, Any]:
    return {
        "spectrum-finding": ref("finding"),
        "spectrum-sub": ref("sub"),
        "spectrum-big": ref("big"),
        "spectrum-big-error": ref("big_error"),
        "spectrum-knee": ref("knee_text"),
    }
