"""The evaluator process: real processes, asked, interrupted, killed."""

import os
import signal

import pytest
from flask import Flask
from prunescope.app.evaluator import Evaluator, EvaluatorError
from prunescope.engine import RunConfig, Store, train


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    train(RunConfig(name="small", dataset="digits", model="mlp", hidden=(16,), epochs=1, seed=0), Store(folder))
    found = Evaluator(folder)
    yield found
    found.close()


ASK = {"run": "small", "epoch": 1.0, "layer": "fc1"}


def test_answers_come_until_they_are_exact(evaluator):
    *_, last = evaluator.ask("ablation", **ASK)
    assert last["seen"] == last["total"] and len(last["correct"]) == 16


def test_a_question_that_makes_no_sense_is_a_sentence(evaluator):
    with pytest.raises(EvaluatorError, match="nowhere"):
        list(evaluator.ask("ablation", **ASK | {"layer": "nowhere"}))
    with pytest.raises(EvaluatorError, match="unknown"):
        list(evaluator.ask("meaning-of-life"))


def test_a_question_that_nobody_waits_for_is_dropped(evaluator):
    answers = evaluator.ask("surface", priority=5, run="small", layer="fc1", criterion="l2", epochs=[0.0, 1.0] * 500)
    next(answers)
    answers.close()
    # The process is free at once: 999 curves would have kept it busy.
    assert list(evaluator.ask("ablation", **ASK))
    assert not evaluator._waiting


def test_a_question_whose_page_has_gone_frees_its_thread_although_newer_ones_keep_it_waiting(evaluator):
    newer = evaluator.ask("surface", run="small", layer="fc1", criterion="l2", epochs=[0.0, 1.0] * 500)
    next(newer)
    older = evaluator.ask("surface", priority=5, run="small", layer="fc1", criterion="l2", epochs=[0.0, 1.0])
    gone = {"waitress.client_disconnected": lambda: True}
    with Flask("any").test_request_context(environ_overrides=gone), pytest.raises(EvaluatorError, match="waits"):
        next(older)
    assert len(evaluator._waiting) == 1
    newer.close()


def test_an_urgent_question_overtakes_a_long_one(evaluator):
    slow = evaluator.ask("surface", priority=5, run="small", layer="fc1", criterion="l2", epochs=[0.0, 1.0] * 300)
    next(slow)
    assert list(evaluator.ask("ablation", **ASK))
    slow.close()


def test_a_killed_process_is_told_and_the_next_question_starts_another(evaluator):
    list(evaluator.ask("ablation", **ASK))
    slow = evaluator.ask("surface", priority=5, run="small", layer="fc1", criterion="l2", epochs=[0.0, 1.0] * 500)
    next(slow)
    os.kill(evaluator._process.pid, signal.SIGKILL)
    with pytest.raises(EvaluatorError, match="measures accuracy ended"):
        list(slow)
    assert list(evaluator.ask("ablation", **ASK))
