"""Experiments started from a page: a process of their own, one at a time, that outlives its starter."""

import os
import threading

import pytest
from prunescope.engine.experiments import head
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.head import LOG, ensure_head, launch_experiment, main
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.experiments.turns import take_place, turn
from prunescope.engine.store.locks import RunLock

RECIPE = {
    "kind": "sweep", "name": "small", "run": {"dataset": "xord", "model": "mlp", "hidden": [4], "epochs": 1},
    "sweep": {"grid": {"lr": [0.1, 0.01]}},
}  # fmt: skip


def test_an_experiment_is_launched_and_followed_from_outside(store, wait_for):
    name = launch_experiment(store, experiment_from(RECIPE), command="from the browser")
    described = Experiments(store).open(name)
    wait_for(lambda: summarise(store, described).state == "done", seconds=300)
    assert described.command == "from the browser"
    assert summarise(store, described).counts["done"] == 2
    ensure_head(store, described)  # nothing is left: it ends by itself
    assert (described.path / LOG).exists()


def test_a_second_head_leaves_the_experiment_to_the_first(store):
    described = Experiments(store).create(experiment_from(RECIPE))
    lock = RunLock(described.path)
    try:
        assert main(["--logdir", str(store.root), "--experiment", described.id]) == 0
    finally:
        lock.release()
    assert summarise(store, described).counts["queued"] == 2


@pytest.mark.parametrize("paused", [False, True])
def test_what_is_asked_of_a_head_that_is_about_to_end_is_done_by_the_next_one(store, monkeypatch, paused):
    described = Experiments(store).create(experiment_from(RECIPE))
    started = []

    def start(store, described, executor, place):
        started.append(executor)
        os.close(place)

    monkeypatch.setattr(head, "_start", start)
    with described.table() as table:
        table.pause_all(paused)
    lock, place = RunLock(described.path), take_place(described.path)
    ensure_head(store, described, executor="local:2")
    (follower,) = [thread for thread in threading.enumerate() if thread.name == f"follow {described.id}"]
    lock.release()  # it has computed, and is closing its processes
    follower.join(0.6)
    assert follower.is_alive() and not started
    os.close(place)
    follower.join(10)
    assert started == ([] if paused else ["local:2"])
    assert not described.is_waiting


def test_heads_take_turns_in_the_order_in_which_they_came(store, make):
    """The second in line is asked first, and again after the first has left."""
    first, second = make("sweep", {"grid": {"lr": [0.1]}}), make("sweep", {"grid": {"lr": [0.2]}})
    places = {one.id: take_place(one.path) for one in (first, second)}
    os.utime(places[first.id], (1, 1))
    order = []

    def work(one):
        with turn(one.path):
            order.append(one.id)

    late = threading.Thread(target=work, args=(second,))
    late.start()
    late.join(0.7)
    assert order == []
    assert second.is_waiting
    work(first)
    assert take_place(first.path) is None  # it still stands there
    os.close(places[first.id])
    late.join()
    os.close(places[second.id])
    assert order == [first.id, second.id]
    assert not second.is_waiting


def test_an_executor_that_is_not_there_makes_nothing(store):
    with pytest.raises(ValueError, match="not supported"):
        launch_experiment(store, experiment_from(RECIPE), executor="tcp://x:1")
    assert not store.root.exists()


def test_an_unknown_experiment_is_exit_code_1(store, capsys):
    assert main(["--logdir", str(store.root), "--experiment", "none"]) == 1
    assert "no experiment 'none'" in capsys.readouterr().out


def test_a_finished_experiment_is_read_in_a_folder_that_nobody_may_write(compute, store, monkeypatch):
    summary = compute("sweep", {"grid": {"epochs": [1]}})
    described = Experiments(store).open(summary.id)
    paths = [described.path, described.path / "table.sqlite"]
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        assert summarise(store, described) == summary
    finally:
        for path in paths:
            path.chmod(0o700 if path.is_dir() else 0o600)
