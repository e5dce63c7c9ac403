"""How paths of weight vectors are drawn."""

from typing import Any

import numpy as np
from prunescope.app.figures.pieces import colour_bar, corner
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import PERCENT, SYMBOLS, Theme, axis, base_layout, cluster_colour

# A little further away than plotly's own, and lower: the axes' names stand inside a narrow figure, too.
CAMERA = {"eye": {"x": 1.5, "y": 1.5, "z": 1.1}, "center": {"x": 0, "y": 0, "z": -0.12}}
PATTERNS = ((1, 1), (1, -1), (-1, -1), (-1, 1))


def _groups(
    theme: Theme, colour: str, n_clusters: int, networks: tuple[str, ...]
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Name, colour, symbol and which units, for every pair of traces."""
    if networks:
        return [(name, theme.data[i], SYMBOLS[i], {"where": "labels", "equals": i}) for i, name in enumerate(networks)]
    if colour != "cluster":
        return [("units", theme.data[0], "circle", {})]
    return [
        (
            f"cluster {c + 1}",
            cluster_colour(theme, c),
            SYMBOLS[c % len(SYMBOLS)],
            {"where": "labels", "equals": c},
        )
        for c in range(n_clusters)
    ]


def paths(
    theme: Theme,
    *,
    dims: str,
    colour: str,
    n_clusters: int,
    titles: tuple[str, ...],
    plane: bool,
    noun: str,
    networks: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Each unit's path through the epochs up to the scrubber, its present place marked.

    One trace a cluster, its paths parted by gaps: a trace a unit would take three times as long to draw.
    """
    three = dims == "3"
    data: list[dict[str, Any]] = []
    axes = ("x", "y", "z") if three else ("x", "y")
    kind = "scatter3d" if three else "scatter"
    groups = _groups(theme, colour, n_clusters, networks)
    for name, tone, _, which in groups:
        data.append(
            {
                "type": kind,
                "mode": "lines",
                "name": f"{name}, path",
                "line": {"color": tone, "width": 1.5 if three else 1},
                "opacity": 0.55,
                "connectgaps": False,
                "hoverinfo": "skip",
            }
            | {a: ref(a, "paths", **which) for a in axes}
        )
    for name, tone, symbol, which in groups:
        marker: dict[str, Any] = {
            "size": 4 if three else 7,
            "color": tone,
            "symbol": symbol if not three or symbol in ("circle", "square", "diamond", "cross", "x") else "circle",
            "line": {"width": 0.8, "color": theme.panel},
        }
        if colour == "norm" and not networks:
            marker |= {
                "color": ref("norms"),
                "colorscale": [[0, theme.ramp[0]], [1, theme.data[1]]],
                "showscale": True,
                "colorbar": colour_bar(theme, "norm", len=0.7),
            }
        data.append(
            {
                "type": kind,
                "mode": "markers",
                "name": name,
                # The other network's units have numbers of their own: they cannot be picked.
                "meta": {} if networks and name != networks[0] else {"select": "unit"},
                "marker": marker,
                "text": ref("@unit", like="x", **which),
                "customdata": ref("norms", **which),
                "hovertemplate": f"{noun} %{{text}} · norm %{{customdata:.3f}}<extra>{name}</extra>",
            }
            | {a: ref(a, **which) for a in axes}
        )
    data.append(
        {
            "type": kind,
            "mode": "markers",
            "name": "selected",
            "marker": {
                "size": 8 if three else 13,
                "color": "rgba(0,0,0,0)",
                "line": {"width": 2, "color": theme.accent},
            }
            | ({"symbol": "circle-open", "color": theme.accent} if three else {}),
            "hoverinfo": "skip",
        }
        | {a: ref(a, among="sel") for a in axes}
    )
    if plane:
        data += _true_directions(theme)
    if three:
        scene = {
            f"{a}axis": {
                "title": {"text": title, "font": {"size": 12}},
                "gridcolor": theme.line,
                "color": theme.muted,
                "showbackground": False,
                "zerolinecolor": theme.line,
            }
            for a, title in zip(axes, titles, strict=False)
        }
        # A drag turns it: elsewhere it zooms, which means nothing to a scene.
        scene |= {"aspectmode": "cube", "dragmode": "turntable", "camera": CAMERA}
        return {
            "data": data,
            "layout": base_layout(theme, scene=scene, margin={"l": 0, "r": 0, "t": 0, "b": 0}),
        }
    return {
        "data": data,
        "layout": base_layout(
            theme,
            annotations=corner(theme, [(name, theme.data[i]) for i, name in enumerate(networks)], step=0.06),
            xaxis=axis(theme, titles[0]),
            yaxis=axis(theme, titles[1], scaleanchor="x", scaleratio=1),
        ),
    }


def _true_directions(theme: Theme) -> list[dict[str, Any]]:
    """The four patterns of XORD, the directions that Brutzkus & Globerson prove neurons to take."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "true directions",
            "x": ref("ray_x"),
            "y": ref("ray_y"),
            "line": {"color": theme.null, "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "text",
            "name": "patterns",
            "x": ref("tip_x"),
            "y": ref("tip_y"),
            "text": [f"({x}, {y})".replace("-", "−") for x, y in PATTERNS],
            "textfont": {"color": theme.muted, "size": 13},
            "hoverinfo": "skip",
        },
    ]


def rays(reach: float) -> dict[str, np.ndarray]:
    """The four directions of XORD as lines from the origin, as long as ``reach``, and where to name them."""
    tips = np.asarray(PATTERNS) / np.sqrt(2) * reach
    lines = np.stack([np.zeros_like(tips), tips, np.full_like(tips, np.nan)], axis=1).reshape(-1, 2)
    return {
        "ray_x": lines[:, 0],
        "ray_y": lines[:, 1],
        "tip_x": 1.08 * tips[:, 0],
        "tip_y": 1.08 * tips[:, 1],
    }


def distance_moved(theme: Theme) -> dict[str, Any]:
    """How far weight vectors stand from where they began: median and middle half."""
    epochs = ref("@epoch", "until")
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": "three quarters",
                "x": epochs,
                "y": ref("moved", "until", col=2),
                "line": {"width": 0},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "middle half",
                "x": epochs,
                "y": ref("moved", "until", col=0),
                "fill": "tonexty",
                "fillcolor": theme.null_soft,
                "line": {"width": 0},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "median",
                "x": epochs,
                "y": ref("moved", "until", col=1),
                "line": {"color": theme.data[0], "width": 2},
                "hovertemplate": "epoch %{x}: %{y:.3f}<extra></extra>",
            },
        ],
        "layout": base_layout(
            theme,
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "distance", rangemode="tozero"),
        ),
    }


def variance_explained(theme: Theme, titles: tuple[str, ...]) -> dict[str, Any]:
    """Share of each epoch's variance that lies in the axes shown."""
    data = []
    for i, title in enumerate(titles):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": title,
                "stackgroup": "explained",
                "x": ref("@epoch", "until"),
                "y": ref("explained", "until", col=i),
                "line": {"width": 1, "color": theme.data[i]},
                "hovertemplate": title + ", epoch %{x}: %{y:.1%}<extra></extra>",
            }
        )
    return {
        "data": data,
        "layout": base_layout(
            theme,
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "share", range=[0, 1], tickformat=PERCENT),
        ),
    }


def texts() -> dict[str, Any]:
    return {
        "trajectories-finding": ref("finding"),
        "trajectories-sub": ref("sub"),
        "trajectories-big": ref("big"),
        "trajectories-big-note": ref("big_note"),
        "trajectories-basis": ref("basis_note"),
    }
