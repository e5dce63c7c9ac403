"""Whose turn it is: the most urgent question first, none without end."""

import pytest
from prunescope.engine.evaluation import service as module
from prunescope.engine.evaluation.service import Service


@pytest.fixture
def worked(monkeypatch):
    """worked(questions, turns): which question each turn went to, on a clock that a turn moves by 0.1 s."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def endless(subjects, ask):
        while True:
            now[0] += 0.1
            yield {"of": ask["id"]}

    monkeypatch.setattr(module, "QUESTIONS", {"endless": endless})

    def work(priorities, turns, again=None):
        told = []
        service = Service(None, told.append)
        for number, priority in enumerate(priorities):
            service._take({"id": number, "ask": "endless", "priority": priority})
        for turn in range(turns):
            if again and turn % again == again - 1:
                newest = max(job.id for job in service._jobs.values())
                last = max(i for i, job in service._jobs.items() if job.priority == 0)
                service._take({"id": last, "cancel": True})
                service._take({"id": newest + 1, "ask": "endless", "priority": 0})
            service._step()
        return [message["id"] for message in told]

    return work


def test_a_fresh_urgent_question_has_all_turns(worked):
    assert worked([5, 1, 0, 3], 5) == [2] * 5


def test_of_equals_the_newest_is_worked_on(worked):
    assert worked([0, 0], 5) == [1] * 5


def test_later_one_turn_in_three_goes_to_each_other_question_in_turn(worked):
    turns = worked([5, 1, 0], 5 + 12)
    assert turns[:5] == [2] * 5
    assert turns[5:] == [2, 2, 0, 2, 2, 1] * 2


def test_who_asks_the_most_urgent_question_without_end_does_not_starve_the_others(worked):
    # Every eight turns (0.8 s) the question is asked anew about a newer epoch, as by one who follows a training.
    turns = worked([5, 3, 0], 160, again=8)
    assert min(turns.count(0), turns.count(1)) >= 5
