"""The rules by which a figure's holes are filled."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.app.figures.template import Rows, figure, fill, ref, sentence, spaced_index


@pytest.fixture
def rows() -> Rows:
    filled = Rows()
    for epoch in range(4):
        filled.append(
            float(epoch),
            {
                "loss": 1.0 / (epoch + 1),
                "x": np.array([0.0, 10.0, 20.0]) + epoch,
                "labels": np.array([0, 1, epoch % 2]),
                "said": f"epoch {epoch}",
            },
        )
    return filled


def test_a_hole_is_filled_with_the_row_under_the_scrubber(rows):
    assert fill(ref("said"), rows, 2) == "epoch 2"
    assert fill(ref("x"), rows, 2).tolist() == [2, 12, 22]


def test_the_first_row_stays_whatever_the_scrubber_does(rows):
    assert {fill(ref("said", "first"), rows, cursor) for cursor in range(4)} == {"epoch 0"}


def test_until_ends_at_the_scrubber_and_all_does_not(rows):
    assert fill(ref("loss", "until"), rows, 1) == [1.0, 0.5]
    assert fill(ref("@epoch", "all"), rows, 1) == [0, 1, 2, 3]


def test_paths_are_parted_by_gaps_so_that_no_line_joins_two_units(rows):
    path = fill(ref("x", "paths"), rows, 1)
    assert [None if math.isnan(v) else v for v in path] == [0, 1, None, 10, 11, None, 20, 21, None]


def test_a_tail_of_one_epoch_draws_two_points_of_each_path(rows):
    path = fill(ref("x", "paths"), rows, 3, {"tail": 1})
    assert [None if math.isnan(v) else v for v in path] == [2, 3, None, 12, 13, None, 22, 23, None]


def test_units_are_grouped_by_their_label_under_the_scrubber(rows):
    group = ref("x", where="labels", equals=1)
    assert fill(group, rows, 2).tolist() == [12]
    assert fill(group, rows, 3).tolist() == [13, 23]
    assert fill(ref("@unit", like="x", where="labels", equals=1), rows, 3).tolist() == [1, 2]


def test_a_matrix_has_epochs_as_columns(rows):
    assert fill(ref("x", "matrix"), rows, 1).tolist() == [[0, 1], [10, 11], [20, 21]]


def test_numbers_are_scaled_then_shifted(rows):
    assert fill(ref("x", times=2, plus=1), rows, 0).tolist() == [1, 21, 41]
    assert fill(ref("loss", times=2, plus=1), rows, 0) == 3.0


def test_a_share_picks_its_place_in_the_row(rows):
    assert [fill(ref("x", pick="frac"), rows, 0, {"frac": share}) for share in (0, 0.5, 0.74, 0.76, 1)] == [
        0,
        10,
        10,
        20,
        20,
    ]
    assert fill(ref("@local", key="frac", times=100), rows, 0, {"frac": 0.62}) == 62


def test_a_row_of_a_matrix_is_found_at_its_share():
    rows = Rows()
    rows.append(0.0, {"table": np.arange(6.0)})
    slices = [fill(ref("table", slice="cut", of=3), rows, 0, {"cut": cut}).tolist() for cut in (0, 0.5, 1)]
    assert slices == [[0, 1], [2, 3], [4, 5]]


def test_links_are_drawn_from_the_strongest_down_to_the_cutoff():
    rows = Rows()
    rows.append(
        0.0,
        {"x": np.array([0, 1, 2.0]), "y": np.zeros(3), "ends": np.array([0, 1, 1, 2]), "w": np.array([0.9, 0.4])},
    )
    hole = ref("x", "links", y="y", ends="ends", weights="w", least="cut")
    assert fill(hole, rows, 0, {"cut": 0.9}) == "M0.000,0.000L1.000,0.000"
    assert fill(hole, rows, 0, {"cut": 0.2}) == "M0.000,0.000L1.000,0.000M1.000,0.000L2.000,0.000"
    assert fill(hole, rows, 0, {"cut": 1}) == ""


def test_a_sentence_gives_way_to_a_problem():
    rows = Rows()
    rows.append(0.0, {"count": np.array([3, 5]), "problem": ""})
    rows.append(1.0, {"count": np.array([0, 0]), "problem": "nothing to count"})
    hole = sentence("there are ", ref("count", pick="cut"), " of them", unless="problem")
    assert fill(hole, rows, 0, {"cut": 1}) == "there are 5 of them"
    assert fill(hole, rows, 1, {"cut": 1}) == "nothing to count"


def test_an_unknown_name_leaves_the_hole_empty(rows):
    assert fill({"y": ref("nothing")}, rows, 0) == {"y": None}


def test_an_unknown_rule_is_named(rows):
    with pytest.raises(ValueError, match="at='sometimes'"):
        fill({"$": "x", "at": "sometimes"}, rows, 0)


@given(st.integers(2, 30), st.integers(0, 500))
def test_spaced_rows_rise_and_end_at_the_scrubber(of, last):
    chosen = [spaced_index(i, of, last) for i in range(of)]
    known = [index for index in chosen if index is not None]
    assert known[0] == 0 and known[-1] == last
    assert all(a < b for a, b in itertools.pairwise(known))
    assert len(known) == min(of, last + 1)


def test_a_finished_figure_holds_the_filled_values(rows):
    template = {
        "data": [{"type": "scatter", "x": ref("@epoch", "until"), "y": ref("loss", "until")}],
        "layout": {"title": {"text": ref("said")}},
    }
    drawn = figure(template, rows, 2)
    assert list(drawn.data[0].y) == pytest.approx([1, 1 / 2, 1 / 3])
    assert drawn.layout.title.text == "epoch 2"
