"""A scene in depth on paper: where the camera sees its points, and that all of it stands on the page."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.app.exporting.depth import View, flat
from prunescope.app.exporting.labels import text_width
from prunescope.app.exporting.paper import on_paper
from prunescope.app.exporting.style import PaperStyle

FACING = {"eye": {"x": 0, "y": -2, "z": 0}}
SCENE = {f"{a}axis": {"title": {"text": f"PC {i + 1}", "font": {"size": 12}}} for i, a in enumerate("xyz")}
LAYOUT = {"font": {"size": 13}, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "scene": SCENE}


def line(x, y, z, **more):
    return {"type": "scatter3d", "mode": "lines", "name": "one", "x": x, "y": y, "z": z} | more


def test_a_point_is_seen_at_its_distance_off_the_axis_over_its_distance_ahead():
    places, far = View(FACING)(np.array([[0, 0, 0], [0.5, 0, 0], [0, 0, 0.5], [0.5, -1, 0], [0, -3, 0]]))
    focus = 1 / math.tan(math.pi / 8)
    assert places[:4] == pytest.approx(np.array([[0, 0], [focus / 4, 0], [0, focus / 4], [focus / 2, 0]]))
    assert far[:4] == pytest.approx([2, 2, 2, 1])
    assert np.isnan(places[4]).all()


def test_gaps_stay_gaps_and_the_far_markers_come_first():
    # Along y the eye at y = -2 sees 1 nearest.
    cloud = line([0, 0, 0], [3, 1, 2], [0, 1, 2], mode="markers", marker={"color": ["far", "near", "middle"]})
    traces, layout = flat(
        [line([0, math.nan, 1], [0, math.nan, 1], [0, math.nan, 1]), cloud],
        LAYOUT | {"scene": SCENE | {"camera": FACING}},
        300,
        200,
    )
    path, markers = traces[-2:]
    assert [value is None for value in path["x"]] == [False, True, False]
    assert markers["marker"]["color"] == ["far", "middle", "near"]
    assert {trace["type"] for trace in traces} == {"scatter"}
    assert "scene" not in layout
    assert not any("z" in trace for trace in traces)


def seen_box(note, unit):
    """What a note covers, in the view's unit: worked out here with the turned corners."""
    size = note["font"]["size"]
    wide, high = text_width(note["text"], size) / unit, size / unit
    left = {"left": 0.0, "center": -wide / 2, "right": -wide}[note["xanchor"]]
    turn = -math.radians(note.get("textangle", 0))
    for x in (left, left + wide):
        for y in (-high / 2, high / 2):
            yield (
                note["x"] + x * math.cos(turn) - y * math.sin(turn),
                note["y"] + x * math.sin(turn) + y * math.cos(turn),
            )


@given(
    st.floats(-math.pi, math.pi),
    st.floats(-1.4, 1.4),
    st.floats(1.9, 6),
    st.sampled_from([(336, 230), (250, 400), (600, 200)]),
)
def test_from_wherever_it_is_seen_the_cube_and_all_type_stand_on_the_page(turn, height, away, size):
    eye = {
        "x": away * math.cos(turn) * math.cos(height),
        "y": away * math.sin(turn) * math.cos(height),
        "z": away * math.sin(height),
    }
    corners = [
        list(column)
        for column in zip(*[(x, y, z) for x in (-3, 5) for y in (0, 1e-4) for z in (100, 200)], strict=True)
    ]
    traces, layout = flat([line(*corners, mode="markers")], LAYOUT | {"scene": SCENE | {"camera": {"eye": eye}}}, *size)
    (left, right), (low, high) = layout["xaxis"]["range"], layout["yaxis"]["range"]
    unit = size[0] / (right - left)
    assert size[1] / (high - low) == pytest.approx(unit, rel=1e-3)
    edge = 1.5 / unit
    for trace in traces:
        assert all(left - edge <= x <= right + edge for x in trace["x"] if x is not None)
        assert all(low - edge <= y <= high + edge for y in trace["y"] if y is not None)
    notes = layout["annotations"]
    assert {"PC 1", "PC 2", "PC 3"} <= {note["text"] for note in notes}
    for note in notes:
        for x, y in seen_box(note, unit):
            assert left - edge <= x <= right + edge, note
            assert low - edge <= y <= high + edge, note


def test_an_eye_that_is_near_sees_the_part_that_the_screen_shows():
    near = {"eye": {"x": 0.4, "y": 0.4, "z": 0.4}}
    _, layout = flat([line([0, 1], [0, 1], [0, 1])], LAYOUT | {"scene": SCENE | {"camera": near}}, 300, 200)
    assert layout["yaxis"]["range"] == [-1, 1]
    assert layout["xaxis"]["range"] == [-1.5, 1.5]


def test_numbers_are_round_and_lie_where_they_say():
    # 0 to 0.64 with a 32nd of it on both sides, seen along y: 0.4 lies 0.08 to the right of the middle, of 0.68 in all.
    data = [line([0, 0.64], [0, 1e6], [0, 1000])]
    _, layout = flat(data, LAYOUT | {"scene": SCENE | {"camera": FACING}}, 300, 300)
    numbers = {note["text"]: note["x"] for note in layout["annotations"]}
    # The lower edge of the face at the back, half a cube behind the middle.
    focus = 1 / math.tan(math.pi / 8)
    wanted = [focus * at / 0.68 / 2.5 for at in (-0.12, 0.08)]
    assert [numbers["0.2"], numbers["0.4"]] == pytest.approx(wanted, abs=1e-4)


def test_programs_that_can_turn_it_get_its_depth():
    data = [line([0, 1], [0, 1], [0, 1])]
    assert on_paper(data, LAYOUT, PaperStyle(), whole=True).data[0]["z"] == [0, 1]
    assert "z" not in on_paper(data, LAYOUT, PaperStyle()).data[-1]
