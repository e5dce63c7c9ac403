"""Low-rank swaps, activations and collapse, measured on a small trained network."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine import RunConfig, Store, train
from prunescope.engine.evaluation.readings import coarse_first, collapse, correlations, levels, low_rank_swap
from prunescope.engine.evaluation.subject import CannotEvaluate, Subjects


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("runs"))
    train(RunConfig(name="net", dataset="digits", model="lenet-300-100", width=0.1, epochs=2, seed=0), store)
    return store


def ask(store: Store, **details) -> dict:
    return {"run": store.runs()[0].id, "epoch": 2.0} | details


def test_full_rank_is_the_network_itself(trained):
    run = trained.runs()[0]
    *_, last = low_rank_swap(Subjects(trained), ask(trained, layer="fc1"))
    assert last["whole"] and last["k"][-1] == last["rank"] == 30
    assert last["correct"][-1] / last["total"] == pytest.approx(run.metrics()["val/accuracy"][-1])
    assert last["norm_ratio"][-1] == pytest.approx(1)


def test_ranks_can_be_named_and_one_beyond_the_last_is_the_last(trained):
    subjects = Subjects(trained)
    *_, all_ranks = low_rank_swap(subjects, ask(trained, layer="fc1"))
    *_, named = low_rank_swap(subjects, ask(trained, layer="fc1", ranks=[99, 3]))
    assert named["whole"] and named["k"] == [3, 30]
    assert named["correct"] == [all_ranks["correct"][all_ranks["k"].index(k)] for k in (3, 30)]


def test_a_swap_leaves_the_network_as_it_was(trained):
    subjects = Subjects(trained)
    before = subjects.at(trained.runs()[0].id, 2.0).model.get_submodule("fc1").weight.detach().clone()
    list(low_rank_swap(subjects, ask(trained, layer="fc1")))
    assert (subjects.at(trained.runs()[0].id, 2.0).model.get_submodule("fc1").weight == before).all()


def test_another_epoch_loaded_between_two_answers_changes_nothing(trained):
    subjects = Subjects(trained)
    alone = list(low_rank_swap(subjects, ask(trained, layer="fc1")))[-1]
    answers = []
    for answer in low_rank_swap(subjects, ask(trained, layer="fc1")):
        answers.append(answer)
        subjects.at(trained.runs()[0].id, 0.0)
    assert answers[-1] == alone


def test_outputs_correlate_as_numpy_says(trained, tmp_path: Path):
    subjects = Subjects(trained)
    subject = subjects.at(trained.runs()[0].id, 2.0)
    [told] = correlations(subjects, ask(trained, layer="fc1", path=str(tmp_path / "c.npy")))
    inputs = subject.calibration[0].reshape(len(subject.calibration[0]), -1).double().numpy()
    layer = subject.model.get_submodule("fc1")
    outputs = inputs @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
    assert np.load(tmp_path / "c.npy") == pytest.approx(np.corrcoef(outputs.T), abs=1e-4)
    assert told["observations"] == len(inputs) and told["constant"] == []


def test_collapse_is_measured_on_the_last_layer(trained):
    [told] = collapse(Subjects(trained), ask(trained))
    assert told["layer"] == "fc3"
    assert told["nc1"] > 0 and 0 <= told["nc4"] <= 1


def test_an_unknown_layer_is_named(trained):
    with pytest.raises(CannotEvaluate, match="'fc9'"):
        next(low_rank_swap(Subjects(trained), ask(trained, layer="fc9")))


@given(st.integers(1, 600))
def test_levels_begin_at_one_and_end_at_full_rank(rank):
    found = levels(rank)
    assert found[0] == 1 and found[-1] == rank
    assert len(found) <= 28
    assert sorted(coarse_first(found)) == found
