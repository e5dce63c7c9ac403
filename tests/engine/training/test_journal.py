"""When a checkpoint is due, with a clock in the test's hand."""

from types import SimpleNamespace

import pytest
from prunescope.engine.training import journal
from prunescope.engine.training.journal import Journal


class Writer:
    """Takes checkpoints; each moves the clock on by what it costs."""

    def __init__(self, clock):
        self.clock, self.cost, self.saved = clock, 0.0, []

    def save_checkpoint(self, payload, epoch):
        self.saved.append(epoch)
        self.clock.now += self.cost


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(journal.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(journal, "to_bytes", lambda job: b"")
    return clock


@pytest.fixture
def at(small):
    """A job that stands at an epoch; ten steps an epoch."""

    def make(epoch, **changes):
        step = round(epoch * 10)
        return SimpleNamespace(
            config=small(epochs=100, **changes),
            order=SimpleNamespace(steps=10),
            step=step,
            epoch=step / 10,
            is_between_epochs=step % 10 == 0,
            total_steps=1000,
        )

    return make


def test_checkpoints_come_with_every_nth_epoch(clock, at):
    keeper = Journal(Writer(clock), at(0))
    due = [epoch for epoch in range(1, 8) if keeper.is_checkpoint_due(at(epoch, checkpoint_every=3))]
    assert due == [3, 6]


def test_a_checkpoint_waits_until_it_costs_one_percent(clock, at):
    writer = Writer(clock)
    keeper = Journal(writer, at(0))
    writer.cost = 0.5
    keeper.checkpoint(at(1))
    clock.now += 49
    assert not keeper.is_checkpoint_due(at(2))
    clock.now += 1.5
    assert keeper.is_checkpoint_due(at(3))


def test_inside_an_epoch_there_is_one_after_a_minute(clock, at):
    keeper = Journal(Writer(clock), at(0))
    clock.now += 59
    assert not keeper.is_checkpoint_due(at(0.5))
    clock.now += 2
    assert keeper.is_checkpoint_due(at(0.5))


def test_a_costly_checkpoint_does_not_come_every_minute(clock, at):
    writer = Writer(clock)
    keeper = Journal(writer, at(0))
    writer.cost = 2.0
    keeper.checkpoint(at(1))
    clock.now += 100
    assert not keeper.is_checkpoint_due(at(1.5))
    clock.now += 101
    assert keeper.is_checkpoint_due(at(1.5))
