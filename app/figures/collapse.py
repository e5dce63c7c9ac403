"""How neural collapse is drawn."""

from typing import Any

from prunescope.app.figures.pieces import LOW, corner, middle, now, over_epochs
from prunescope.app.figures.template import ref
from prunescope.app.figures.theme import Theme, axis, base_layout


def collapse(theme: Theme) -> dict[str, Any]:
    """NC1, NC3 and NC4 over epochs, each falling to 0 as collapse completes."""
    names = ("nc1", "nc3", "nc4")
    return {
        "data": [over_epochs(name.upper(), name, theme.data[i]) for i, name in enumerate(names)],
        "layout": _layout(theme, [(ref("nc_lines", col=i), theme.data[i]) for i in range(3)]),
    }


def equal_norms_and_angles(theme: Theme) -> dict[str, Any]:
    """NC2: spread of norms, distance of the angles from those of a simplex; dashed for the classifier."""
    lines = (
        ("norms of class means", "nc2_means", 0, "solid"),
        ("norms of the classifier", "nc2_classifier", 0, "dash"),
        ("angles of class means", "nc2_angles_means", 1, "solid"),
        ("angles of the classifier", "nc2_angles_classifier", 1, "dash"),
    )
    return {
        "data": [over_epochs(name, row, theme.data[i], dash=dash) for name, row, i, dash in lines],
        "layout": _layout(theme, [(ref("nc_lines", col=3 + i), theme.data[i]) for i in range(2)]),
    }


def _layout(theme: Theme, labels: list[tuple[Any, str]]) -> dict[str, Any]:
    return base_layout(
        theme,
        shapes=[now(theme)],
        annotations=[*corner(theme, labels, step=LOW), middle(theme, ref("nc_problem"))],
        xaxis=axis(theme, "epoch", showgrid=False),
        yaxis=axis(theme, "", rangemode="tozero"),
    )
