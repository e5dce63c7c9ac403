"""Learning rates against values worked by hand."""

import pytest
from prunescope.engine.config import RunConfig
from prunescope.engine.settings import SCHEDULES as OFFERED
from prunescope.engine.training.schedules import SCHEDULES, Schedule, schedule_of


def test_every_schedule_that_the_config_offers_is_there_and_no_other():
    assert set(SCHEDULES) == set(OFFERED)


def test_constant_stays():
    schedule = Schedule(kind="constant", base=0.5, total=10)
    assert [schedule.at(step) for step in range(10)] == [0.5] * 10


def test_warmup_rises_linearly_and_never_starts_at_zero():
    schedule = Schedule(kind="constant", base=0.4, total=10, warmup=4)
    assert [schedule.at(step) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_step_falls_at_each_drop_and_not_before():
    schedule = Schedule(kind="step", base=1.0, total=9, drops=(3, 6), gamma=0.1)
    assert [schedule.at(step) for step in (0, 2, 3, 5, 6, 8)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_passes_through_half_at_the_middle_and_ends_near_zero():
    schedule = Schedule(kind="cosine", base=2.0, total=8)
    # 1 + cos(π·k/8): k = 0 → 2, k = 4 → 1, k = 7 → 1 − cos(π/8) = 0.0761205
    assert [schedule.at(step) for step in (0, 4, 7)] == pytest.approx([2.0, 1.0, 0.0761205], abs=1e-6)


def test_cosine_begins_after_the_warmup():
    schedule = Schedule(kind="cosine", base=1.0, total=12, warmup=4)
    assert schedule.at(3) == schedule.at(4) == 1.0
    assert schedule.at(8) == pytest.approx(0.5)


def test_epochs_of_the_config_become_iterations():
    config = RunConfig(
        epochs=10, schedule="step", step_epochs=(3, 6), step_gamma=0.5, lr=0.2, warmup_epochs=0.5
    )
    schedule = schedule_of(config, steps_per_epoch=20)
    assert (schedule.warmup, schedule.drops, schedule.total) == (10, (60, 120), 200)
    assert [schedule.at(step) for step in (9, 59, 60, 119, 120)] == pytest.approx([0.2, 0.2, 0.1, 0.1, 0.05])
