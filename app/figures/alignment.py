"""How the angles to the cluster centres are drawn."""

from typing import Any

import numpy as np
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import Theme, axis, base_layout, blend, cluster_colour, label

# Lines of the ridgeline: more would hide each other; the card says how many are shown.
RIDGES = 14


def angle_histogram(
    edges: np.ndarray,
    grid: np.ndarray,
    null_mean: np.ndarray,
    null_sd: np.ndarray,
    theme: Theme,
    against: str,
    noun: str,
    *,
    beside: bool = False,
) -> dict[str, Any]:
    """This epoch's angles as bars, epoch 0 as a dashed line, random directions as a band (mean ± 2 sd).

    ``beside`` draws a second network as a line.

    Parameters
    ----------
    edges : (n_bins + 1,)  degrees
    grid, null_mean, null_sd : (n_grid,)  degrees; units per bar
    against : "first", "null" or "both"
    """
    width = edges[1] - edges[0]
    data_colour, first_colour = theme.data[0], theme.data[1]
    data: list[dict[str, Any]] = []
    if against in ("null", "both"):
        outline = np.concatenate([null_mean + 2 * null_sd, np.clip(null_mean - 2 * null_sd, 0, None)[::-1]])
        data.append(
            {
                "type": "scatter",
                "name": "random directions, mean ± 2 sd",
                "x": np.concatenate([grid, grid[::-1]]),
                "y": outline,
                "fill": "toself",
                "fillcolor": theme.null_soft,
                "line": {"width": 0},
                "mode": "lines",
                "hoverinfo": "skip",
            }
        )
    data.append(
        {
            "type": "bar",
            "name": "this epoch",
            "meta": {"select": "bar", "row": "angles", "half": width / 2},
            "x": edges[:-1] + width / 2,
            "y": ref("bars"),
            "width": width * 0.86,
            "marker": {"color": data_colour, "opacity": 0.86, "line": {"width": 0}},
            "hovertemplate": f"%{{x:.0f}}° ± 1°: %{{y:.1f}} {noun}<extra></extra>",
        }
    )
    if against in ("first", "both"):
        data.append(
            {
                "type": "scatter",
                "name": "epoch 0",
                "x": grid,
                "y": ref("density", "first"),
                "mode": "lines",
                "line": {"color": first_colour, "width": 2, "dash": "dash"},
                "hovertemplate": f"epoch 0, %{{x:.0f}}°: %{{y:.1f}} {noun}<extra></extra>",
            }
        )
    lines = [(ref("label_now"), data_colour)]
    if beside:
        data.append(
            {
                "type": "scatter",
                "name": "other network",
                "x": grid,
                "y": ref("density_other"),
                "mode": "lines",
                "line": {"color": theme.data[2], "width": 2.4},
                "hovertemplate": f"other network, %{{x:.0f}}°: %{{y:.1f}} {noun}<extra></extra>",
            }
        )
        lines.append((ref("label_other"), theme.data[2]))
    if against in ("first", "both"):
        lines.append((ref("label_first", "first"), first_colour))
    if against in ("null", "both"):
        lines.append((ref("label_null"), theme.null))
    notes = [
        label(
            theme,
            text,
            colour,
            x=ref("label_x"),
            xref="paper",
            xanchor=ref("label_anchor"),
            y=0.995 - 0.085 * i,
            yref="paper",
            yanchor="top",
        )
        for i, (text, colour) in enumerate(lines)
    ]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            bargap=0,
            annotations=notes,
            xaxis=axis(theme, "angle to the nearest centre", range=[0, 90], dtick=15, ticksuffix="°", showgrid=False),
            yaxis=axis(theme, f"{noun} per 2°", range=[0, ref("top")]),
        ),
    }


def ridgeline(grid: np.ndarray, theme: Theme) -> dict[str, Any]:
    """The distribution at equally spaced epochs, the first at the back, the one shown in front."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"line {i + 1} of {RIDGES}",
            "showlegend": False,
            "x": grid,
            "y": ref("density", "spaced", i=i, of=RIDGES, plus=float(RIDGES - i) * 2.2),
            "text": ref("label_now", "spaced", i=i, of=RIDGES),
            "hovertemplate": "%{text}<extra></extra>",
            "line": {"color": blend(*theme.ramp, i / (RIDGES - 1)), "width": 1.6},
        }
        for i in range(RIDGES)
    ]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 16, "r": 16, "t": 8, "b": 40},
            xaxis=axis(theme, "angle to the nearest centre", range=[0, 90], dtick=15, ticksuffix="°"),
            yaxis=axis(theme, visible=False),
        ),
    }


def cluster_sizes(n_clusters: int, theme: Theme, noun: str) -> dict[str, Any]:
    """How many units each cluster holds, epoch by epoch, stacked."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"cluster {c + 1}",
            "stackgroup": "sizes",
            "x": ref("@epoch", "until"),
            "y": ref("sizes", "until", col=c),
            "line": {"width": 0.6, "color": cluster_colour(theme, c)},
            "fillcolor": cluster_colour(theme, c),
            "hovertemplate": f"cluster {c + 1}, epoch %{{x}}: %{{y}} {noun}<extra></extra>",
        }
        for c in range(n_clusters)
    ]
    return {
        "data": data,
        "layout": base_layout(
            theme,
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, noun, rangemode="tozero"),
        ),
    }


def texts() -> dict[str, Any]:
    """Component id → what it says."""
    return {
        "alignment-finding": ref("finding"),
        "alignment-sub": ref("sub"),
        "alignment-big": ref("big"),
        "alignment-big-error": ref("big_error"),
        "alignment-z": ref("z_text"),
    }


def cluster_list(n_clusters: int, theme: Theme) -> list[dict[str, Any]]:
    return [{"colour": cluster_colour(theme, c), "text": ref("clusters", col=c)} for c in range(n_clusters)]
