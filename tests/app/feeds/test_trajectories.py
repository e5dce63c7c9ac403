"""Paths in a basis that is fitted once, on as much of a run as the server's memory allows; XORD's plane."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prunescope.app.feeds import FEEDS, trajectories
from prunescope.app.feeds.trajectories import share_along_patterns
from prunescope.app.state import read_view
from prunescope.engine.geometry import project_trajectory
from prunescope.engine.store import Run


@pytest.fixture
def paths(random_layer: Callable[..., np.ndarray]) -> list[np.ndarray]:
    return [random_layer(6, 5) + epoch * random_layer(6, 5, seed=1) for epoch in range(7)]


def test_the_basis_is_that_of_every_weight_vector(recorded: Callable[..., Run], rows_of: Any, paths: Any) -> None:
    run = recorded(fc=paths)
    rows = rows_of("trajectories", run)
    expected = project_trajectory(np.stack(paths), n_components=3).points
    assert np.allclose(np.stack([rows[i]["x"] for i in range(7)]), expected[:, :, 0], atol=1e-4)
    assert rows[0]["basis_note"].startswith("PCA of all weight vectors of epochs 0 to 6")


def test_of_a_run_beyond_the_memory_some_epochs_give_the_basis_and_all_are_drawn(
    recorded: Callable[..., Run], rows_of: Any, paths: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trajectories, "FIT_BYTES", 3 * paths[0].nbytes)
    run = recorded(fc=paths)
    rows = rows_of("trajectories", run)
    assert rows[0]["basis_note"].startswith("PCA of the weight vectors of 3 of 7 snapshots of epochs 0 to 6")
    fitted = project_trajectory(np.stack([paths[0], paths[3], paths[6]]), n_components=3)
    assert np.allclose(rows[5]["x"], (paths[5] - fitted.mean) @ fitted.components[0], atol=1e-4)


def test_a_basis_fitted_earlier_reads_nothing_later(
    recorded: Callable[..., Run], paths: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, read = recorded(fc=paths), []
    real = Run.trajectory
    monkeypatch.setattr(Run, "trajectory", lambda *a, **k: read.append(real(*a, **k)) or read[-1])
    FEEDS["trajectories"].begin(run, read_view({"run": run.id, "fit": "2"}))
    assert [len(part) for part in read] == [3]


def test_the_share_along_the_patterns_is_counted_by_length_and_within_five_degrees():
    moved = np.array([[3.0, 3.0], [-1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    along = np.hypot(3, 3) + np.hypot(1, 1)
    assert share_along_patterns(moved) == pytest.approx(along / (along + 2))
    at = np.radians([-50.1, -49.9, 225, 40.1, 39.9])
    assert share_along_patterns(np.stack([np.cos(at), np.sin(at)], axis=1)) == pytest.approx(3 / 5)


def test_directions_without_preference_have_the_share_that_the_page_calls_chance():
    at = np.linspace(0, 2 * np.pi, 3600, endpoint=False) + 1e-4
    assert share_along_patterns(np.stack([np.cos(at), np.sin(at)], axis=1)) == pytest.approx(40 / 360, abs=1e-3)
