"""Requests and signals, without processes."""

import os
import signal
import threading
from functools import partial
from types import SimpleNamespace

import pytest
from prunescope.engine.training.control import Control, begin_control, ended_by


class Inbox:
    def __init__(self, *requests):
        self.batches = list(requests)

    def __call__(self):
        return self.batches.pop(0) if self.batches else []


def test_nothing_asked_means_run():
    assert Control(Inbox()).look() == "run"


def test_a_wish_holds_until_another_comes():
    control = Control(Inbox(["pause"], [], ["resume"]))
    assert [control.look() for _ in range(4)] == ["pause", "pause", "run", "run"]


def test_the_last_of_several_requests_counts():
    assert Control(Inbox(["pause", "resume", "stop"])).look() == "stop"


def test_requests_nobody_knows_are_passed_over():
    assert Control(Inbox(["explode"])).look() == "run"


def test_the_end_of_the_process_beats_every_request():
    ending = threading.Event()
    ending.set()
    assert Control(Inbox(["resume"]), ending).look() == "stop"


def test_looking_is_not_due_again_at_once_unless_the_process_ends():
    ending = threading.Event()
    control = Control(Inbox(), ending)
    assert control.due()
    control.look()
    assert not control.due()
    ending.set()
    assert control.due()


def test_a_rest_ends_early_when_something_is_wanted():
    assert Control(Inbox([], ["stop"])).rest(3600) == "stop"


def test_sitting_out_a_pause_ends_with_the_resume():
    control = Control(Inbox(["pause"], [], ["resume"]))
    control.look()
    assert control.sit_out() == "run"


def test_a_signal_sets_the_event_once_and_then_means_what_it_meant(request):
    # Started in a shell's background, a process ignores it: what it meant would be nothing.
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), ended_by(signal.SIGINT) as ending:
        os.kill(os.getpid(), signal.SIGINT)
        assert ending.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        ending.wait(0)  # gives the interpreter a moment to run the handler


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with ended_by(signal.SIGINT):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_do_without_handlers():
    seen = []

    def work():
        with ended_by(signal.SIGINT) as ending:
            seen.append(ending.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.mark.parametrize(("state", "wish"), [("queued", "stop"), ("stopped", "run"), ("running", "run")])
def test_what_was_asked_of_an_earlier_process_is_void_and_what_was_asked_of_a_queued_run_holds(state, wish):
    run = SimpleNamespace(head=SimpleNamespace(state=state))
    writer = SimpleNamespace(requests=Inbox(["stop"]))
    assert begin_control(run, writer, threading.Event()).look() == wish
