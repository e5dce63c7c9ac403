"""A tiny experiment, described and computed, and what a page is sent about it."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from prunescope.engine.experiments import head
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Described, Experiments
from prunescope.engine.store import LayerInfo, Store

LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))
TINY = {
    "kind": "tickets",
    "name": "tiny",
    "title": "A tiny one",
    "seeds": [0, 1],
    "run": {"model": "mlp", "hidden": [12, 8], "epochs": 2},
    "tickets": {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket", "reinit"]},
}
# What each arm ends with, by seed; sd of two values a, b is |a − b| / √2.
ACCURACY = {"dense": (0.90, 0.92), "ticket": (0.89, 0.91), "reinit": (0.80, 0.84)}


@pytest.fixture
def described(store: Store) -> Described:
    return Experiments(store).create(experiment_from(TINY))


@pytest.fixture
def finished(store: Store, described: Described) -> Described:
    """The same, computed: every run with two snapshots and the accuracy of its arm."""
    with described.table() as table:
        for row in table.rows():
            accuracy = ACCURACY[row.cell.arm][row.cell.seed]
            run_id = store.create_run(row.cell.config, name=row.key, run_id=described.run_id(row.key))
            with store.writer(run_id) as writer:
                writer.declare([LAYER], total_epochs=1)
                writer.set_state("running")
                for epoch in range(2):
                    weights = np.random.default_rng(epoch).standard_normal((4, 3)).astype(np.float32)
                    metrics = {"val/accuracy": accuracy * epoch, "val/loss": 1.0 - epoch / 2}
                    writer.commit(epoch, {"fc1.weight": weights}, metrics)
                writer.set_state("done")
            table.begin(row.key, run_id)
            result = {"accuracy": accuracy, "remaining": 0.5**row.cell.level, "early_stop_iteration": 10}
            table.finish(row.key, result)
    return described


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands of the processes that would have been started."""
    commands: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(head.subprocess, "Popen", Process)
    return commands


@pytest.fixture
def answers(client: FlaskClient) -> Callable[..., list[dict[str, Any]]]:
    """answers(feed, **query): headers of the frames that a page gets."""

    def ask(feed: str, **query: str) -> list[dict[str, Any]]:
        body = client.get("/api/rows", query_string={"feed": feed, **query}).data
        found = []
        while body:
            size, load = struct.unpack_from("<II", body)
            found.append(json.loads(body[8 : 8 + size]))
            body = body[8 + size + load :]
        return found

    return ask


@pytest.fixture
def complete(answers: Callable[..., list[dict[str, Any]]]) -> Callable[..., dict[str, Any]]:
    """complete(feed, **query): the last answer with figures."""
    return lambda feed, **query: [head for head in answers(feed, **query) if "figures" in head][-1]


@pytest.fixture
def line() -> Callable[[dict[str, Any], str], dict[str, Any]]:
    """line(figure, name): its one trace of that name."""

    def find(figure: dict[str, Any], name: str) -> dict[str, Any]:
        (found,) = [trace for trace in figure["data"] if trace["name"] == name]
        return found

    return find
