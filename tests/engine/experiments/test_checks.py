"""Bad settings are refused before anything runs, all at once, with what to do."""

import pytest
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.checks import experiment_from

BASE = {"kind": "tickets", "name": "t", "run": {"model": "mlp", "epochs": 4}}


def problems(**changes):
    with pytest.raises(ConfigError) as caught:
        experiment_from(BASE | changes)
    return caught.value.problems


def test_a_sound_one_passes():
    assert experiment_from(BASE).plan.levels == 8


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, float("nan"), True])
def test_rates_outside_of_0_to_1_are_refused(rate):
    assert "tickets.rate" in problems(tickets={"rate": rate})


def test_a_rate_of_one_is_allowed():
    assert experiment_from(BASE | {"tickets": {"rate": 1.0}}).plan.rate == 1.0


@pytest.mark.parametrize(("unit", "at"), [("epoch", 4), ("epoch", 9.5), ("step", 88), ("step", 1.5)])
def test_rewinding_later_than_training_is_refused(unit, at):
    # 1,400 examples in batches of 64: 22 steps an epoch, 88 in all.
    assert "tickets.rewind_at" in problems(tickets={"rewind": unit, "rewind_at": at})


def test_rewinding_inside_training_passes():
    assert experiment_from(BASE | {"tickets": {"rewind": "step", "rewind_at": 87}})


def test_an_arm_without_its_parent_is_refused():
    assert "add ticket, their parent" in problems(tickets={"arms": ["reinit"]})["tickets.arms"]
    assert "units" in problems(tickets={"arms": ["ticket", "one-per-cluster"]})["tickets.arms"]


def test_layers_that_are_not_there_are_refused_before_anything_runs():
    """Or a worker would find out after the dense net has been trained."""
    said = problems(tickets={"layer_rates": {"conv1": 0.5}})["tickets.layer_rates"]
    assert said == "'conv1' matches no layer of mlp: it has fc1, fc2."
    assert experiment_from(BASE | {"tickets": {"layer_rates": {"fc*": 0.5}}})
    assert "retrain.each_layer" in problems(kind="retrain", retrain={"each_layer": ["conv9"]}, run={"model": "conv2"})
    assert "schedule.layer_ratios" in problems(kind="schedule", schedule={"layer_ratios": {"x": 0}})
    # What only the user's own code can tell is left to it.
    own = BASE | {"run": {"model": "torch.nn:Identity"}, "tickets": {"layer_rates": {"x": 0.5}}}
    assert experiment_from(own, trusted=True)


def test_a_small_net_starts_from_a_hidden_layer_with_enough_units():
    base = {"kind": "probe", "run": {"model": "channels", "hidden": [8]}}
    assert "no hidden layer" in problems(**base, probe={"layer": "fc1"})["probe.layer"]
    assert "at most 8" in problems(**base, probe={"clusters": 9})["probe.clusters"]
    assert "channels or mlp" in problems(kind="probe", run={"model": "conv2"}, probe={})["probe.what"]


def test_an_empty_sweep_is_refused():
    assert "nothing to sweep" in problems(kind="sweep", sweep={})["sweep.grid"]
    assert "sweep.grid.lr" in problems(kind="sweep", sweep={"grid": {"lr": []}})


def test_a_bad_point_of_a_sweep_is_named():
    assert "sweep.grid.lr" in problems(kind="sweep", sweep={"grid": {"lr": [0.1, -1.0]}})


def test_times_of_a_schedule_lie_inside_the_training():
    run = {"run": {"epochs": 4}, "kind": "schedule"}
    assert "nothing would be trained on" in problems(**run, schedule={"times": [-1, 4]})["schedule.times"]
    assert "schedule.times" in problems(**run, schedule={"times": [-0.5]})
    assert experiment_from({**BASE, **run, "schedule": {"times": [-1, 0, 2.5]}})


def test_iterative_pruning_ends_before_the_training_does():
    assert "iterative.end" in problems(kind="iterative", iterative={"start": 1, "end": 4})
    assert "iterative.end" in problems(kind="iterative", iterative={"start": 3, "end": 2})


def test_every_problem_is_told_at_once():
    found = problems(name="No Name!", seeds=[1, 1], run={"epochs": 0, "modle": "x"}, tickets={"levls": 3})
    assert {"name", "seeds", "run.epochs", "run.modle", "tickets.levls"} <= found.keys()
    assert "Did you mean 'levels'" in found["tickets.levls"]


def test_a_seed_belongs_to_seeds():
    assert "run.seed" in problems(run={"seed": 3})


def test_rounded_recording_is_refused_because_later_runs_start_from_it():
    assert "run.record_dtype" in problems(run={"record_dtype": "float16"})


def test_code_is_named_by_the_shell_only():
    asked = BASE | {"run": {"model": "json:loads"}}
    assert "run.model" in problems(run={"model": "json:loads"})
    assert experiment_from(asked, trusted=True)


@pytest.mark.parametrize("junk", [{}, {"kind": "x"}, {"kind": ["tickets"]}, [], None, {"kind": "tickets", "run": 3}])
def test_junk_is_refused_without_a_traceback(junk):
    with pytest.raises(ConfigError):
        experiment_from(junk)
