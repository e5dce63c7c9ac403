"""The values used last are kept, up to a weight."""

from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.recent import Recent


def test_the_least_used_is_forgotten_first():
    recent = Recent[str, int](2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1  # used again: b is now the oldest
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_the_newest_is_kept_whatever_it_weighs():
    recent = Recent[str, str](3, weigh=len)
    recent.put("a", "xx")
    recent.put("b", "xxxxx")
    assert [recent.get(key) for key in "ab"] == [None, "xxxxx"]


def test_a_value_is_computed_once_while_it_is_kept():
    recent, computed = Recent[str, int](1), []
    for key in "aaba":
        recent.once(key, lambda key=key: computed.append(key) or ord(key))
    assert computed == ["a", "b", "a"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9))), st.integers(1, 20))
def test_the_latest_are_kept_and_weigh_no_more_than_allowed(puts, most):
    recent = Recent[int, int](most, weigh=lambda value: value)
    latest: dict[int, int] = {}
    for key, value in puts:
        recent.put(key, value)
        latest.pop(key, None)
        latest[key] = value
    newest_first = list(latest)[::-1]
    kept = [key for key in newest_first if recent.get(key) is not None]
    assert kept == newest_first[: len(kept)]
    assert [recent.get(key) for key in kept] == [latest[key] for key in kept]
    assert sum(latest[key] for key in kept) <= most or len(kept) == 1
    assert bool(kept) == bool(puts)


@given(st.lists(st.integers(0, 5)), st.integers(1, 8))
def test_as_many_as_allowed_are_kept(keys, most):
    recent = Recent[int, int](most)
    for key in keys:
        recent.put(key, key)
    newest_first = list(dict.fromkeys(reversed(keys)))
    assert [key for key in newest_first if recent.get(key) is not None] == newest_first[:most]
