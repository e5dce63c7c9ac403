"""The sentence about XORD's plane."""

import numpy as np
import pytest
from prunescope.app.feeds.trajectories import share_along_patterns


def test_the_share_along_the_patterns_is_counted_by_length_and_within_five_degrees():
    moved = np.array([[3.0, 3.0], [-1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    along = np.hypot(3, 3) + np.hypot(1, 1)
    assert share_along_patterns(moved) == pytest.approx(along / (along + 2))
    at = np.radians([-50.1, -49.9, 225, 40.1, 39.9])
    assert share_along_patterns(np.stack([np.cos(at), np.sin(at)], axis=1)) == pytest.approx(3 / 5)


def test_directions_without_preference_have_the_share_that_the_page_calls_chance():
    at = np.linspace(0, 2 * np.pi, 3600, endpoint=False) + 1e-4
    assert share_along_patterns(np.stack([np.cos(at), np.sin(at)], axis=1)) == pytest.approx(40 / 360, abs=1e-3)
