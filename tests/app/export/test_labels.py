"""On paper a label lies over no curve, and every colour has a name."""

import numpy as np
import pytest
from prunescope.app.export import PaperStyle
from prunescope.app.exporting.labels import key_of
from prunescope.app.exporting.paper import on_paper

LAYOUT = {
    "font": {"size": 13},
    "margin": {"l": 52, "r": 16, "t": 12, "b": 44},
    "xaxis": {"range": [0, 1]},
    "yaxis": {"range": [0, 1]},
}
X = list(np.linspace(0, 1, 50))


def curve(name, y, colour="#0072B2", **line):
    return {"type": "scatter", "mode": "lines", "name": name, "x": X, "y": list(y), "line": {"color": colour, **line}}


def label(text, x, y, colour="#0072B2"):
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y}
    return {"name": "label", "text": text, "font": {"size": 13, "color": colour}, "bgcolor": "#fff", **place}


def placed(data, notes, style=None):
    sheet = on_paper(data, LAYOUT | {"annotations": notes}, style or PaperStyle())
    return sheet, [note for note in sheet.layout["annotations"] if note["name"] == "label"]


@pytest.mark.parametrize(
    ("y", "corner"),
    [
        (np.linspace(1, 0, 50), (1.0, 1.0)),  # falling: upper right is where it was asked for, and free
        (np.linspace(0, 1, 50), (1.0, 0.0)),  # rising: lower right
        (np.full(50, 0.95), (1.0, 0.0)),  # along the top: lower right
    ],
)
def test_labels_move_to_the_corner_where_nothing_is_drawn(y, corner):
    _, (note,) = placed([curve("one", y)], [label("one 0.5", 0.99, 0.99)])
    assert (note["x"], note["y"]) == corner
    assert "bgcolor" not in note


def test_where_no_corner_is_free_labels_stand_above_the_plot_and_the_figure_grows():
    full = [curve("all over", 0.5 + 0.5 * np.sin(np.linspace(0, 90, 50)))]
    free, _ = placed([curve("flat", np.full(50, 0.5))], [label("all over, everywhere", 0.99, 0.99)])
    sheet, (note,) = placed(full, [label("all over, everywhere", 0.99, 0.99)])
    assert (note["y"], note["yanchor"]) == (1.0, "bottom")
    assert note["yshift"] > 0
    assert sheet.height - free.height == pytest.approx(sheet.layout["margin"]["t"] - free.layout["margin"]["t"])


def test_a_height_that_was_asked_for_is_kept():
    sheet, _ = placed([curve("a", X), curve("b", X, "#D55E00")], [], PaperStyle(height="2in"))
    assert sheet.height == 192


def test_a_curve_without_a_label_is_named_in_the_key_with_a_piece_of_itself():
    data = [curve("train", X, "#D55E00", dash="dash"), curve("validation", X), curve("hidden", X, "#009E73")]
    sheet, _ = placed(data, [label("validation 98 %", 0.99, 0.1)], PaperStyle(hidden=(2,)))
    keys = [note["text"] for note in sheet.layout["annotations"] if note["name"] == "key"]
    assert keys == ["train"]
    (swatch,) = sheet.layout["shapes"]
    assert (swatch["type"], swatch["line"]["color"]) == ("line", "#D55E00")


def test_curves_that_look_alike_share_what_their_names_share():
    grey = {"colour": "#6f757d", "dash": "dot"}
    data = [curve("fc1 by chance", X, **grey), curve("fc2 by chance", X, **grey), curve("fc1", X)]
    assert [name for name, _ in key_of(data, [])] == ["by chance", "fc1"]


def test_names_on_an_axis_are_no_obstacle():
    data = [{"type": "scatter", "mode": "markers", "name": "runs", "x": ["filter 1", "filter 2"], "y": [0.2, 0.4]}]
    layout = {key: value for key, value in LAYOUT.items() if key != "xaxis"} | {"xaxis": {"type": "category"}}
    sheet = on_paper(data, layout | {"annotations": [label("n = 2", 0.99, 0.99)]}, PaperStyle())
    assert sheet.data[0]["x"] == ["filter 1", "filter 2"]


def test_one_curve_needs_no_key():
    assert key_of([curve("alone", X)], []) == []


def test_the_scrubber_is_drawn_where_it_stands_inside_only():
    epochs = [{**curve("loss", np.ones(50)), "x": list(range(50))}]
    for at, drawn in ((49, 0), (12, 1)):
        shape = {"name": "now", "type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
        sheet = on_paper(epochs, LAYOUT | {"shapes": [shape]}, PaperStyle())
        assert len(sheet.layout["shapes"]) == drawn
