"""Runs with given weights, and every row that a feed makes of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.theme import LIGHT
from prunescope.app.state import read_view
from prunescope.app.wire import pack
from prunescope.engine.store import LayerInfo, Run, Store


@pytest.fixture
def logdir(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def recorded(logdir: Store) -> Callable[..., Run]:
    """recorded(layer=[weights of epoch 0, of epoch 1, …], …) makes a run with these layers."""

    def make(run_name: str = "one", **layers: Sequence[np.ndarray]) -> Run:
        run_id = logdir.create_run({}, name=run_name, kind="record")
        infos = [
            LayerInfo(name=name, kind="linear", units=w[0].shape[0], fan_in=w[0].shape[1], shape=w[0].shape)
            for name, w in layers.items()
        ]
        epochs = len(next(iter(layers.values())))
        with logdir.writer(run_id) as writer:
            writer.declare(infos, total_epochs=epochs - 1)
            for epoch in range(epochs):
                tensors = {f"{name}.weight": np.asarray(w[epoch], np.float32) for name, w in layers.items()}
                writer.commit(float(epoch), tensors, {"val/accuracy": 0.5})
            writer.set_state("done")
        return logdir.run(run_id)

    return make


@pytest.fixture
def rows_of() -> Callable[..., list[dict[str, Any]]]:
    """rows_of(feed, run, **view): what the page would be sent; checks that it can be sent and drawn."""

    def compute(feed_name: str, run: Run, evaluator: Any = None, **view: str) -> list[dict[str, Any]]:
        feed, settings = FEEDS[feed_name], read_view({"run": run.id} | view)
        memory = feed.begin(run, settings)
        if getattr(feed, "answers", False):
            rows = list(feed.answer(run, memory, settings, float(run.epochs[-1]), evaluator))
            for row in rows:
                pack({}, [0.0], [row])
        else:
            more = (evaluator,) if getattr(feed, "measured", False) else ()
            rows = [feed.row(run, memory, i, float(epoch), *more) for i, epoch in enumerate(run.epochs)]
            pack({}, [float(epoch) for epoch in run.epochs], rows)
        pack(feed.templates(run, memory, settings, LIGHT), [], [])
        return rows

    return compute


@pytest.fixture
def random_layer() -> Callable[..., np.ndarray]:
    def draw(n_units: int, fan_in: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).standard_normal((n_units, fan_in)).astype(np.float32)

    return draw
