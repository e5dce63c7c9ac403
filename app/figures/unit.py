"""How one unit is drawn."""

from typing import Any

from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import Theme, axis, base_layout


def picture(theme: Theme, height: int, width: int) -> dict[str, Any]:
    """The weights as an image: blue positive, vermilion negative, each scaled to the largest of this epoch."""
    return {
        "data": [
            {
                "type": "heatmap",
                "name": "weights",
                "z": ref("picture", shape=[height, width]),
                "zmid": 0,
                "colorscale": [[0, theme.data[1]], [0.5, theme.ground], [1, theme.data[0]]],
                "showscale": False,
                "hovertemplate": "row %{y}, column %{x}: %{z:.4f}<extra></extra>",
            }
        ],
        "layout": base_layout(
            theme,
            margin={"l": 4, "r": 4, "t": 4, "b": 4},
            xaxis=axis(theme) | {"visible": False, "constrain": "domain"},
            yaxis=axis(theme) | {"visible": False, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        ),
    }


def course(theme: Theme) -> dict[str, Any]:
    """Norm (left) and angles (right) over the epochs."""

    def line(name: str, row: str, colour: str, dash: str, **more: Any) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": ref("@epoch", "until"),
            "y": ref(row, "until"),
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": f"epoch %{{x}}: {name} %{{y:.2f}}<extra></extra>",
        } | more

    return {
        "data": [
            line("norm", "norm", theme.data[0], "solid"),
            line("to its centre", "angle", theme.data[1], "dash", yaxis="y2"),
            line("to its init", "to_first", theme.data[2], "dot", yaxis="y2"),
        ],
        "layout": base_layout(
            theme,
            margin={"l": 44, "r": 44, "t": 30, "b": 40},
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}, "entrywidth": 0},
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "norm", rangemode="tozero"),
            yaxis2=axis(theme, "", overlaying="y", side="right", showgrid=False, ticksuffix="°", rangemode="tozero"),
        ),
    }
