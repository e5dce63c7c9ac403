"""Points are merged only where there are too many, only where they coincide on the page, and it is said."""

import numpy as np
from prunescope.app.exporting.merge import merge_points

LAYOUT = {"xaxis": {"range": [0, 1]}, "yaxis": {"range": [0, 1]}}


def line(x, y):
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y)}


def test_a_figure_that_is_small_enough_is_left_alone():
    data = [line([0, 0, 1], [0, 0, 1])]
    kept, merged = merge_points(data, LAYOUT, 336, 228)
    assert kept is data
    assert merged is None


def test_no_line_moves_by_more_than_the_distance_that_is_told():
    steps = np.linspace(0, 1, 20_000)
    curve = 0.5 + 0.4 * np.sin(12 * steps)
    thinned, merged = merge_points([line(steps, curve)], LAYOUT, 336, 228, most=2000)
    kept_x, kept_y = np.array(thinned[0]["x"]), np.array(thinned[0]["y"])
    # Each point dropped lies within the tolerance of a point that is drawn.
    points = np.stack([steps * 336, curve * 228], axis=1)
    kept = np.stack([kept_x * 336, kept_y * 228], axis=1)
    place = np.clip(np.searchsorted(kept_x, steps, side="right") - 1, 0, None)
    assert np.linalg.norm(points - kept[place], axis=1).max() <= merged.pixels
    assert merged.points == 20_000
    assert merged.drawn == len(kept_x) <= 2000


def test_every_path_keeps_its_first_and_last_point_and_paths_stay_apart():
    paths = 100
    x = [value for path in range(paths) for value in (*np.full(50, path / paths), None)]
    y = [value for path in range(paths) for value in (*np.linspace(0.5, 0.501, 50), None)]
    thinned, _ = merge_points([line(x, y)], LAYOUT, 336, 228, most=1000)
    assert thinned[0]["x"].count(None) == paths
    assert thinned[0]["y"].count(0.5) == paths
    assert thinned[0]["y"].count(0.501) == paths
