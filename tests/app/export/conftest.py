"""A recorded run whose figures are exported, and an exporter over it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prunescope.app.export import Exporter, exporter
from prunescope.app.exporting.browser import find_browser
from prunescope.engine.store import LayerInfo, Store


def record_run(store: Store, name: str, units: int, fan_in: int, epochs: int) -> str:
    """Weight vectors that drift towards four directions, the same every time."""
    layer = LayerInfo(name="fc1", kind="linear", units=units, fan_in=fan_in, shape=(units, fan_in))
    generator = np.random.default_rng(0)
    start = generator.standard_normal((units, fan_in))
    goals = generator.standard_normal((4, fan_in))[np.arange(units) % 4]
    run_id = store.create_run({"dataset": "digits", "model": "mlp", "seed": 3}, name=name)
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=epochs - 1)
        for epoch in range(epochs):
            share = epoch / (epoch + 5)
            wobble = 0.05 * generator.standard_normal((units, fan_in))
            weights = ((1 - share) * start + share * goals + wobble).astype(np.float32)
            metrics = {"train/accuracy": 0.1 + epoch / 10, "val/accuracy": 0.1 + epoch / 12}
            writer.commit(float(epoch), {"fc1.weight": weights}, metrics)
        writer.set_state("done")
    return run_id


@pytest.fixture(scope="package")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with the run ``small`` (12 neurons, 5 inputs, epochs 0 to 5)."""
    store = Store(tmp_path_factory.mktemp("papers") / "runs")
    record_run(store, "small", 12, 5, 6)
    return store


@pytest.fixture(scope="package")
def ours(papers: Store) -> Iterator[Exporter]:
    with exporter(papers) as made:
        yield made


@pytest.fixture
def make_run() -> Callable[..., str]:
    """make_run(store, name, units, fan_in, epochs) records one more."""
    return record_run


@pytest.fixture
def browser() -> str:
    """The browser that draws without a window; skips where there is none."""
    found = find_browser()
    if found is None:
        pytest.skip("needs Chrome, Chromium or Edge (Debian: apt-get install chromium)")
    return found


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Store], Store]:
    """copy_of(store) is the same runs in another folder, as on another machine."""

    def copy(store: Store) -> Store:
        return Store(shutil.copytree(store.root, tmp_path / "elsewhere"))

    return copy
