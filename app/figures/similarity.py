"""How the similarity graph, and what is counted in it, is drawn."""

from typing import Any

import numpy as np
from prunescope.app.figures.pieces import LOW, MARK, colour_bar, corner, line, middle, picked_units, upright, wrapped
from prunescope.app.figures.template import SAME_WEIGHT, ref, sentence
from prunescope.app.figures.theme import PERCENT, SYMBOLS, Theme, axis, base_layout, cluster_colour, label

__all__ = [
    "SAME_WEIGHT",
    "components",
    "cosines",
    "embedding",
    "graph",
    "group_list",
    "group_sizes",
    "texts",
    "weight_distribution",
    "wrapped",
]

# Where the cutoff slider stands, on an axis of edge weights.
CUTOFF = {"$": "@local", "key": "cut"}


def _groups(n_clusters: int, networks: list[str]) -> list[str]:
    return networks or [f"cluster {c + 1}" for c in range(n_clusters)]


def graph(theme: Theme, noun: str, n_clusters: int, networks: list[str]) -> dict[str, Any]:
    """Units as points, size by norm, colour by cluster or network; lines join those alike.

    All lines are one path, under the points: a trace would make an element of each, and move the points as well
    whenever the cutoff does.
    """
    data: list[dict[str, Any]] = []
    for c, name in enumerate(_groups(n_clusters, networks)):
        which: dict[str, Any] = {"where": "labels", "equals": c}
        # Only this run's units can be picked: those of the other have numbers of their own.
        own = not networks or c == 0
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "meta": {"select": "unit"} if own else {},
                "x": ref("x", **which),
                "y": ref("y", **which),
                "text": ref("@unit", like="x", **which),
                "customdata": ref("norms", **which),
                "marker": {
                    "size": ref("sizes", **which),
                    "color": cluster_colour(theme, c),
                    "symbol": SYMBOLS[c // len(theme.data) % len(SYMBOLS)] if not networks else SYMBOLS[c],
                    "opacity": 0.92,
                    "line": {"width": 0.8, "color": theme.panel},
                },
                "hovertemplate": (f"{noun} %{{text}} · " if own else "")
                + f"norm %{{customdata:.3f}}<extra>{name}</extra>",
            }
        )
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "selected",
            "x": ref("x", among="sel"),
            "y": ref("y", among="sel"),
            "marker": {"size": 20, "color": "rgba(0,0,0,0)", "line": {"width": 2, "color": theme.accent}},
            "hoverinfo": "skip",
        }
    )
    lines = MARK | {
        "type": "path",
        "path": ref("x", "links", y="y", ends="ends", weights="edge_weights", least="cut"),
        "line": {"color": theme.null, "width": 0.7},
        "opacity": 0.5,
        "layer": "below",
    }
    hidden = {"visible": False}
    return {
        "data": data,
        "layout": base_layout(
            theme,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            shapes=[lines],
            annotations=[middle(theme, ref("problem"))],
            dragmode="pan",
            xaxis=hidden,
            yaxis=hidden | {"scaleanchor": "x", "scaleratio": 1},
        ),
    }


def components(theme: Theme, n_units: int) -> dict[str, Any]:
    """Number of groups at every cutoff, exactly; epoch 0 dashed."""
    numbers = np.arange(n_units - 1, 0, -1)
    now = line("epoch shown", ref("joins"), numbers, theme.data[0], hover="%{y} groups")
    first = line("epoch 0", ref("joins", "first"), numbers, theme.data[1], hover="%{y} groups", dash="dash")
    for trace in (now, first):
        trace["line"]["shape"] = "hv"
    return {
        "data": [first, now],
        "layout": base_layout(
            theme,
            shapes=[upright(CUTOFF, theme.accent) | MARK],
            annotations=corner(
                theme, [("epoch shown", theme.data[0]), ("epoch 0", theme.data[1])], right=False, step=LOW
            ),
            xaxis=axis(theme, "cutoff", range=[0, 1], showgrid=False),
            yaxis=axis(theme, "groups", rangemode="tozero"),
        ),
    }


def weight_distribution(theme: Theme, bins: int) -> dict[str, Any]:
    """Histogram of the edge weights, the share of pairs above each, and where orthogonal pairs stand."""
    edges = np.linspace(0, 1, bins + 1)
    bars = {
        "type": "bar",
        "name": "pairs",
        "x": (edges[1:] + edges[:-1]) / 2,
        "y": ref("counts"),
        # Side by side: gaps of half a pixel would flicker.
        "width": 1 / bins,
        "marker": {"color": theme.data[0], "opacity": 0.86, "line": {"width": 0}},
        "hovertemplate": "around %{x:.2f}: %{y:.1%} of pairs<extra></extra>",
    }
    above = line("at least", edges, ref("reverse_cdf"), theme.data[1], hover="%{y:.1%} of pairs", yaxis="y2")
    right = axis(
        theme,
        "at least that",
        overlaying="y",
        side="right",
        range=[0, 1.04],
        tickformat=PERCENT,
        showgrid=False,
        dtick=0.5,
    )
    right["tickfont"]["color"] = right["title"]["font"]["color"] = theme.data[1]
    place = {"x": ref("orthogonal"), "xref": "x", "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "left"}
    return {
        "data": [bars, above],
        "layout": base_layout(
            theme,
            bargap=0,
            margin={"l": 52, "r": 60, "t": 12, "b": 44},
            shapes=[upright(CUTOFF, theme.accent) | MARK, upright(ref("orthogonal"), theme.null, "solid")],
            annotations=[label(theme, "orthogonal", theme.null, **place)],
            xaxis=axis(theme, "edge weight", range=[0, 1], showgrid=False),
            yaxis=axis(theme, "pairs", tickformat=PERCENT, rangemode="tozero"),
            yaxis2=right,
        ),
    }


def group_sizes(theme: Theme, stops: int, noun: str) -> dict[str, Any]:
    """Each group at the cutoff: how many units, and the largest norm among them."""
    hole: dict[str, Any] = {"slice": "cut", "of": stops}
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "name": "group",
                "x": ref("group_size", **hole),
                "y": ref("group_norm", **hole),
                "marker": {
                    "size": 7,
                    "color": theme.data[0],
                    "opacity": 0.8,
                    "line": {"width": 0.6, "color": theme.panel},
                },
                "hovertemplate": f"%{{x}} {noun}, largest norm %{{y:.3g}}<extra></extra>",
            }
        ],
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(ref("group_said", pick="cut"), theme.data[0])], bottom=True),
            xaxis=axis(theme, f"{noun} in the group", type="log", showgrid=False, tickformat="d", dtick="D2"),
            yaxis=axis(theme, "largest norm in it", rangemode="tozero"),
        ),
    }


def cosines(theme: Theme, side: int, noun: str) -> dict[str, Any]:
    """Cosines of all pairs, units of a cluster side by side; units are picked, and found, on the diagonal."""
    heat = {
        "type": "heatmap",
        "name": "cosine",
        "x": ref("matrix_names"),
        "y": ref("matrix_names"),
        "z": ref("matrix", shape=[side, side]),
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, theme.data[1]], [0.5, theme.panel], [1, theme.data[0]]],
        "colorbar": colour_bar(theme, "cosine", len=0.9, tickvals=[-1, 0, 1]),
        "hovertemplate": "%{y}<br>%{x}<br>cosine %{z:.2f}<extra></extra>",
    }
    dots: dict[str, Any] = {"size": 9, "color": theme.data[0], "opacity": 0, "line": {"width": 0}}
    points = picked_units(theme, "matrix_places", "matrix_places", noun, **dots)
    points[0]["hovertemplate"] = f"{noun} %{{text}}<extra></extra>"
    return {
        "data": [heat, *points],
        "layout": base_layout(
            theme,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            annotations=[middle(theme, ref("matrix_problem"))],
            xaxis={"type": "category", "visible": False, "constrain": "domain"},
            yaxis={
                "type": "category",
                "visible": False,
                "autorange": "reversed",
                "scaleanchor": "x",
                "constrain": "domain",
            },
        ),
    }


def embedding(theme: Theme, noun: str, n_clusters: int) -> dict[str, Any]:
    """Units in a plane that means nothing but who is near whom; colours by cluster."""
    hidden = {"visible": False}
    points, rings = picked_units(theme, "emb_x", "emb_y", noun)
    data: list[dict[str, Any]] = []
    for c in range(n_clusters):
        which: dict[str, Any] = {"where": "emb_labels", "equals": c}
        data.append(
            points
            | {
                "marker": points["marker"] | {"color": cluster_colour(theme, c)},
                "name": f"cluster {c + 1}",
                "x": ref("emb_x", **which),
                "y": ref("emb_y", **which),
                "text": ref("@unit", like="emb_x", **which),
                "hovertemplate": f"{noun} %{{text}}<extra>cluster {c + 1}</extra>",
            }
        )
    return {
        "data": [*data, rings],
        "layout": base_layout(
            theme,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            annotations=[middle(theme, ref("emb_problem"))],
            xaxis=hidden,
            yaxis=hidden | {"scaleanchor": "x", "scaleratio": 1},
        ),
    }


def texts(n_units: int, noun: str, layer: str, by: str) -> dict[str, Any]:
    """Component id → what it says; the slider changes it without asking the server."""
    measure = "correlation" if by == "activations" else "inner product"
    joined = (f"Joined at {measure} ", ref("inner", pick="cut"), f", the {n_units} {noun} of {layer} ")
    return {
        "similarity-finding": sentence(*joined, ref("found", pick="cut"), ".", unless="problem"),
        "similarity-sub": ref("sub"),
        "similarity-big": sentence(ref("groups", pick="cut")),
        "similarity-big-error": f"of {n_units} {noun}",
        "similarity-inner": sentence(ref("inner", pick="cut")),
        "similarity-edges": sentence(
            ref("edges_drawn", pick="cut"), " of ", ref("edges_all", pick="cut"), " edges drawn"
        ),
    }


def group_list(theme: Theme, n_clusters: int, networks: list[str]) -> list[dict[str, Any]]:
    return [
        {"colour": cluster_colour(theme, c), "text": sentence(f"{name} · ", ref("group_lines", col=c))}
        for c, name in enumerate(_groups(n_clusters, networks))
    ]
