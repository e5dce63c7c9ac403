"""How a run's course is drawn."""

from typing import Any

from prunescope.app.figures.pieces import now
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import DASHES, PERCENT, Theme, axis, base_layout, label


def _line(theme: Theme, name: str, row: str, colour: str, hover: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": ref("@epoch", "all"),
        "y": ref(row, "all"),
        "line": {"color": colour, "width": 2} | more,
        "hovertemplate": f"{name}, epoch %{{x}}: {hover}<extra></extra>",
    }


def accuracy(theme: Theme) -> dict[str, Any]:
    """Training and validation accuracy over epochs."""
    return {
        "data": [
            _line(theme, "train", "train_accuracy", theme.data[1], "%{y:.1%}", dash="dash"),
            _line(theme, "validation", "val_accuracy", theme.data[0], "%{y:.1%}"),
        ],
        "layout": base_layout(
            theme,
            shapes=[now(theme)],
            annotations=[
                label(
                    theme,
                    ref("label_val"),
                    theme.data[0],
                    x=0.99,
                    xref="paper",
                    xanchor="right",
                    y=0.06,
                    yref="paper",
                    yanchor="bottom",
                ),
                label(
                    theme,
                    ref("label_train"),
                    theme.data[1],
                    x=0.99,
                    xref="paper",
                    xanchor="right",
                    y=0.16,
                    yref="paper",
                    yanchor="bottom",
                ),
            ],
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "accuracy", tickformat=PERCENT),
        ),
    }


def loss(theme: Theme) -> dict[str, Any]:
    """Training and validation loss over epochs."""
    return {
        "data": [
            _line(theme, "train", "train_loss", theme.data[1], "%{y:.4f}", dash="dash"),
            _line(theme, "validation", "val_loss", theme.data[0], "%{y:.4f}"),
        ],
        "layout": base_layout(
            theme,
            shapes=[now(theme)],
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, "loss", rangemode="tozero"),
        ),
    }


def per_layer(names: list[str], row: str, title: str, theme: Theme, **y_axis: Any) -> dict[str, Any]:
    """One number a layer and epoch; a line a layer, told apart by colour and by dash."""
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": ref("@epoch", "all"),
                "y": ref(row, "all", col=i),
                "line": {
                    "color": theme.data[i % len(theme.data)],
                    "width": 2,
                    "dash": DASHES[i % len(DASHES)],
                },
                "hovertemplate": f"{name}, epoch %{{x}}: %{{y:.2f}}<extra></extra>",
            }
            for i, name in enumerate(names)
        ],
        "layout": base_layout(
            theme,
            shapes=[now(theme)],
            xaxis=axis(theme, "epoch", showgrid=False),
            yaxis=axis(theme, title, **y_axis),
        ),
    }


def texts() -> dict[str, Any]:
    return {
        "overview-finding": ref("finding"),
        "overview-sub": ref("sub"),
        "overview-big": ref("big"),
        "overview-big-note": ref("big_note"),
        "overview-events": ref("events"),
    }


def layer_list(count: int, theme: Theme) -> list[dict[str, Any]]:
    return [{"colour": theme.data[i % len(theme.data)], "text": ref("layer_lines", col=i)} for i in range(count)]
