"""The learning rate as a pure function of the iteration: nothing to save, nothing to forget on resume.

Every schedule is defined per iteration, not per epoch, because late rewinding
(Frankle 2019) returns to a step inside an epoch and must find the same rate there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from prunescope.engine.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate moves; lengths in iterations.

    Attributes
    ----------
    base : the rate after the warm-up
    warmup : iterations of linear warm-up; the first one already uses base / warmup
    total : iterations of the whole run
    drops : iterations at which the step schedule multiplies by `gamma`
    """

    kind: str
    base: float
    total: int
    warmup: int = 0
    drops: tuple[int, ...] = ()
    gamma: float = 0.1

    def at(self, step: int) -> float:
        """Rate of iteration `step`, counted from 0."""
        if step < self.warmup:
            return self.base * (step + 1) / self.warmup
        return self.base * SCHEDULES[self.kind](self, step)


def _constant(schedule: Schedule, step: int) -> float:
    return 1.0


def _step(schedule: Schedule, step: int) -> float:
    return schedule.gamma ** sum(step >= drop for drop in schedule.drops)


def _cosine(schedule: Schedule, step: int) -> float:
    """Half a cosine from 1 at the end of the warm-up to 0 just past the last iteration.

    References
    ----------
    Loshchilov & Hutter 2016, SGDR, without restarts.
    """
    span = max(schedule.total - schedule.warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * min((step - schedule.warmup) / span, 1.0)))


SCHEDULES: dict[str, Callable[[Schedule, int], float]] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
}


def schedule_of(config: RunConfig, steps_per_epoch: int) -> Schedule:
    """The schedule that a config asks for, in iterations."""
    return Schedule(
        kind=config.schedule,
        base=config.lr,
        total=config.epochs * steps_per_epoch,
        warmup=round(config.warmup_epochs * steps_per_epoch),
        drops=tuple(epoch * steps_per_epoch for epoch in config.milestones),
        gamma=config.step_gamma,
    )
