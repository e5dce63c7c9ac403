"""Where the early snapshots fall."""

from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.training.moments import early_steps


def test_points_are_log_spaced_when_there_is_room():
    # Two epochs of 500 steps: 5 points from 1 to 999 are powers of 999^(1/4) = 5.622.
    assert early_steps(5, 500, 10) == (1, 6, 32, 178, 999)


def test_points_that_round_together_move_to_the_next_free_iteration():
    # 7^(k/3) for k = 0..3: 1, 1.9, 3.7, 7; and 4 is the end of an epoch.
    assert early_steps(4, 4, 10) == (1, 2, 5, 7)


def test_ends_of_epochs_are_left_to_the_regular_snapshots():
    assert early_steps(100, 3, 10) == (1, 2, 4, 5)


def test_a_run_of_one_epoch_has_its_early_snapshots_inside_it():
    assert early_steps(100, 5, 1) == (1, 2, 3, 4)


def test_one_step_an_epoch_leaves_no_room():
    assert early_steps(10, 1, 10) == ()


def test_none_asked_none_given():
    assert early_steps(0, 100, 10) == ()


@given(st.integers(1, 60), st.integers(1, 80), st.integers(1, 5))
def test_steps_rise_inside_the_first_epochs_and_are_as_many_as_asked(count, steps_per_epoch, epochs):
    steps = early_steps(count, steps_per_epoch, epochs)
    horizon = steps_per_epoch * min(2, epochs)
    room = [step for step in range(1, horizon) if step % steps_per_epoch]
    assert len(steps) == min(count, len(room))
    assert set(steps) <= set(room)
    assert list(steps) == sorted(set(steps))
