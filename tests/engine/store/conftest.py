"""A store to break: runs made of seeded numbers, writers in processes of their own, a trap for code."""

import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prunescope.engine.store import LayerInfo, Store

# "fc" is large enough for value files, "conv" small enough for the database.
LAYERS = (
    LayerInfo(name="fc", kind="linear", units=100, fan_in=120, shape=(100, 120)),
    LayerInfo(name="conv", kind="conv", units=4, fan_in=9, shape=(4, 1, 3, 3)),
)


def make_tensors(epoch: float) -> dict[str, np.ndarray]:
    """A state dict that depends on the epoch only."""
    generator = np.random.default_rng(round(epoch * 1e6))
    return {
        "fc.weight": generator.standard_normal((100, 120), dtype=np.float32),
        "fc.bias": generator.standard_normal(100, dtype=np.float32),
        "conv.weight": generator.standard_normal((4, 1, 3, 3), dtype=np.float32),
        "bn.num_batches_tracked": np.array(round(epoch * 1e6)),
    }


@pytest.fixture
def layers() -> tuple[LayerInfo, ...]:
    return LAYERS


@pytest.fixture
def tensors() -> Callable[[float], dict[str, np.ndarray]]:
    return make_tensors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "runs")
    yield store
    store.close()


@pytest.fixture
def record(store: Store) -> Callable[..., str]:
    """Make a run of so many snapshots, ended as done."""

    def make(epochs: int = 3, name: str = "run") -> str:
        run_id = store.create_run({"lr": 0.1}, name=name)
        with store.writer(run_id) as writer:
            writer.declare(LAYERS, total_epochs=epochs)
            for epoch in range(epochs):
                writer.commit(epoch, make_tensors(epoch), {"val/accuracy": epoch / 10})
            writer.set_state("done")
        return run_id

    return make


WRITER = """
    import sys, time
    import numpy as np
    from prunescope.engine.store import LayerInfo, Store
    store = Store(sys.argv[1])
    layer = LayerInfo(name="fc", kind="linear", units=100, fan_in=120, shape=(100, 120))
    with store.writer(sys.argv[2]) as writer:
        writer.declare([layer], total_epochs=None)
        writer.set_state("running")
        epoch = 0 if writer.head.epoch is None else int(writer.head.epoch) + 1
        while True:
            tensors = {"fc.weight": np.full((100, 120), epoch, np.float32), "b": np.array(epoch)}
            writer.commit(epoch, tensors, {})
            print(epoch, flush=True)
            epoch += 1
            time.sleep(0.002)
"""


@pytest.fixture
def endless_writer(store: Store) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that commits for ever, and prints each epoch once `commit` has returned."""
    started = []

    def start(run_id: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(store.root), run_id]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


_FORBIDDEN = (
    "exec",
    "compile",
    "pickle.find_class",
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
)
_caught: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _caught is not None and event in _FORBIDDEN:
        _caught.append(f"{event} {arguments!r:.200}")


sys.addaudithook(_hook)


@pytest.fixture
def no_code(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if anything is evaluated, started or unpickled while the test runs."""
    global _caught

    def refuse(*_: object, **__: object) -> None:
        assert _caught is not None
        _caught.append("pickle")
        raise AssertionError("unpickled")

    for name in ("load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    _caught = caught = []
    yield
    _caught = None
    assert caught == []
