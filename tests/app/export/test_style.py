"""Sizes, type and places on paper, and what is said of impossible ones."""

import pytest
from prunescope.app.export import PaperStyle
from prunescope.app.exporting.paper import on_paper
from prunescope.app.exporting.style import inches, read_style

DATA = [
    {"type": "scatter", "mode": "lines", "name": "one", "x": [0, 1], "y": [1, 2], "line": {"width": 2}},
    {"type": "scatter", "mode": "markers", "name": "two", "x": [0], "y": [1], "marker": {"size": 7, "line": {"width": 0.8}}},
]
LAYOUT = {
    "font": {"family": "screen", "size": 13},
    "margin": {"l": 52, "r": 16, "t": 12, "b": 44},
    "xaxis": {"range": [0, 90], "tickfont": {"size": 12}, "title": {"text": "angle", "font": {"size": 12}, "standoff": 6}},
    "yaxis": {"tickformat": ".0%"},
    "annotations": [{"name": "label", "text": "now", "x": 0.5, "font": {"size": 13}}, {"text": "a mark", "x": 1}],
}


def test_a_column_is_three_and_a_half_inches():
    sheet = on_paper(DATA, LAYOUT, PaperStyle())
    assert sheet.width == 336  # 3.5 in of 96 CSS pixels


@pytest.mark.parametrize(("text", "length"), [("89mm", 89 / 25.4), ("3.5in", 3.5), ("12 cm", 12 / 2.54), ("252pt", 3.5)])
def test_lengths_are_written_as_people_write_them(text, length):
    assert inches(text, "width") == pytest.approx(length)


def test_type_has_the_size_asked_for_in_points():
    # 9 pt = 12 CSS px stand for the screen's 13 px; the ticks' 12 px keep their share of it.
    sheet = on_paper(DATA, LAYOUT, PaperStyle(size=9))
    assert sheet.layout["font"]["size"] == pytest.approx(12, abs=0.01)
    assert sheet.layout["xaxis"]["tickfont"]["size"] == pytest.approx(12 * 12 / 13, abs=0.01)


def test_the_main_curve_has_the_width_asked_for_in_points():
    sheet = on_paper(DATA, LAYOUT, PaperStyle(line=1.5))
    assert sheet.data[0]["line"]["width"] == pytest.approx(2)  # 1.5 pt = 2 CSS px


def test_data_are_not_scaled():
    sheet = on_paper(DATA, LAYOUT, PaperStyle(width="slide"))
    assert [trace["x"] for trace in sheet.data] == [[0, 1], [0]]
    assert sheet.layout["xaxis"]["range"] == [0, 90]


def test_the_figure_of_the_screen_stays_as_it_was():
    before = repr((DATA, LAYOUT))
    on_paper(DATA, LAYOUT, PaperStyle(legend="right", letter="a", log=True))
    assert repr((DATA, LAYOUT)) == before


def test_a_legend_takes_the_place_of_labels_but_not_of_marks():
    sheet = on_paper(DATA, LAYOUT, PaperStyle(legend="right"))
    assert sheet.layout["showlegend"]
    assert [note["text"] for note in sheet.layout["annotations"]] == ["a mark"]


def test_zoom_hidden_traces_and_log_axes_are_taken_over_from_the_screen():
    style = PaperStyle(ranges={"xaxis": [10, 20]}, hidden=(1, 99), log=True)
    sheet = on_paper(DATA, LAYOUT, style)
    assert sheet.layout["xaxis"]["range"] == [10, 20]
    assert sheet.data[1]["visible"] is False
    assert sheet.layout["yaxis"]["type"] == "log"
    assert "tickformat" not in sheet.layout["yaxis"]


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"paper_width": "3parsec"}, "width: '3parsec'"),
        ({"paper_width": "900in"}, "width: 900in"),
        ({"paper_height": "tall"}, "height: 'tall'"),
        ({"paper_font": "comic"}, "font: 'comic'"),
        ({"paper_size": "huge"}, "size: 'huge'"),
        ({"paper_size": "nan"}, "size: nan"),
        ({"paper_size": "500"}, "size: 500"),
        ({"paper_line": "-1"}, "line: -1"),
        ({"paper_legend": "left"}, "legend: 'left'"),
        ({"paper_letter": "panel"}, "letter: 'panel'"),
        ({"paper_ranges": "[1]"}, "ranges: '[1]'"),
        ({"paper_hidden": "a"}, "hidden: 'a'"),
        ({"paper_camera": '{"scene": {"eye": {"x": "evil"}}}'}, "camera:"),
    ],
)
def test_an_impossible_setting_is_named_with_its_value(raw, named):
    with pytest.raises(ValueError) as problem:
        read_style(raw)
    assert named in str(problem.value)


def test_unknown_settings_of_a_request_are_ignored():
    assert read_style({"paper_colour": "red", "run": "x", "paper_width": "text"}) == PaperStyle(width="text")
