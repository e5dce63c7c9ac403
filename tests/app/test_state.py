"""What a link may say, and what becomes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.app.state import BY_NAME, KEYS, client_spec, read_view


def test_an_empty_link_is_the_default_view():
    assert read_view({}) == {key.name: key.default for key in KEYS}


def test_unknown_keys_are_ignored():
    assert read_view({"colour_of_the_sky": "blue"}) == read_view({})


@pytest.mark.parametrize("raw", ["13", "0", "-1", "nan", "inf", "four", "", "1e999"])
def test_a_value_out_of_range_is_the_default(raw):
    assert read_view({"k": raw})["k"] == BY_NAME["k"].default


def test_values_in_range_are_taken():
    view = read_view({"k": "7", "weight": "norm", "follow": "0", "frac": "62.5", "run": "a"})
    assert (view["k"], view["weight"], view["follow"], view["frac"], view["run"]) == (7, "norm", False, 62.5, "a")


def test_a_choice_that_is_not_offered_is_the_default():
    assert read_view({"weight": "by magic"})["weight"] == "equal"


@given(st.dictionaries(st.sampled_from([key.name for key in KEYS]), st.text(max_size=60)))
def test_whatever_a_link_says_the_view_is_possible(raw):
    view = read_view(raw)
    for key in KEYS:
        value = view[key.name]
        if key.kind == "choice":
            assert value in dict(key.choices)
        if key.kind == "number":
            assert value == key.default or (key.minimum or 0) <= value <= (key.maximum or 1e12) or key.minimum == -1


def test_a_page_shows_at_most_five_controls_beside_those_under_more():
    for page in ("alignment", "trajectories", "pruning"):
        shown = [key.name for key in KEYS if page in key.pages and not key.more]
        # Those that a page keeps under "More" although another page shows them.
        hidden = {"trajectories": {"k"}, "pruning": {"also"}}.get(page, set())
        assert len(set(shown) - hidden) <= 5, shown


def test_the_browser_is_told_every_key():
    assert [key["name"] for key in client_spec()["keys"]] == [key.name for key in KEYS]
