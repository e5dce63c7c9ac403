"""Experiments on 320 digits, computed in this process where no process is the subject."""

import pytest
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.experiments.task import run_cell
from prunescope.engine.store import Store

RUN = {"model": "mlp", "hidden": [12, 8], "epochs": 2, "train_examples": 320, "batch_size": 64}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


@pytest.fixture
def make(store):
    """Put an experiment on the disk; keywords are a recipe's."""

    def create(kind, plan=None, *, run=None, **changes):
        recipe = {"kind": kind, "name": "tiny", "run": RUN | (run or {}), kind: plan or {}}
        return Experiments(store).create(experiment_from(recipe | changes))

    return create


@pytest.fixture
def compute(store, make):
    """Make an experiment and compute all of it here, in the order of the queue; returns its summary."""

    def run(kind, plan=None, **changes):
        described = make(kind, plan, **changes)
        with described.table() as table:
            keys = [row.key for row in table.rows()]
        for key in keys:
            run_cell(str(store.root), described.id, key)
        summary = summarise(store, described)
        assert {line.error for line in summary.lines} == {""}
        return summary

    return run


@pytest.fixture
def run_of(store):
    """The run of a line of a summary, by its key."""

    def find(summary, key):
        (line,) = [line for line in summary.lines if line.key == key]
        return store.run(line.run_id)

    return find
