"""The training loop, short enough to read in one go."""

import time

from prunescope.engine.training.control import Control
from prunescope.engine.training.job import Job
from prunescope.engine.training.journal import Journal, check_finite
from prunescope.engine.training.masking import hold, prune_if_due
from prunescope.engine.training.optimizers import set_lr
from torch import Tensor


def fit(job: Job, journal: Journal, control: Control) -> bool:
    """Train from where the job stands to its end.

    Returns
    -------
    True when all epochs are done, False when a stop was asked for; then a checkpoint
    of this very moment has been saved.

    Raises
    ------
    Diverged
        When the loss is nan or infinite.
    """
    if job.step == job.first_step:
        journal.snapshot(job)
    while job.step < job.total_steps:
        begun = time.monotonic()
        journal.keep(job)
        prune_if_due(job)
        rows = job.draw_rows()  # (n_train,)
        while True:
            loss = step(job, rows)
            if journal.is_snapshot_due(job):
                journal.snapshot(job, rows)
            if job.is_between_epochs:
                break
            journal.keep(job)
            if control.due():
                check_finite(loss.item(), job)
                if not attend(job, journal, control):
                    return False
                save_if_due(job, journal)
        job.end_epoch()
        # Before the rest, which takes up what saving cost: on a disk that is busy writing, half a second.
        save_if_due(job, journal)
        control.rest(job.config.min_epoch_seconds - (time.monotonic() - begun))
        if not attend(job, journal, control):
            return False
    journal.checkpoint(job)
    return True


def step(job: Job, rows: Tensor) -> Tensor:
    """One update on the next batch of this epoch's examples; returns its loss."""
    size = job.order.batch_size
    start = job.step % job.order.steps * size
    batch = rows[start : start + size]
    outputs = job.model(job.data.train_x[batch])  # (batch, n_classes)
    loss = job.objective.loss(outputs, job.data.train_y[batch])
    job.optimizer.zero_grad()
    loss.backward()
    set_lr(job.optimizer, job.schedule.at(job.step))
    job.optimizer.step()
    hold(job)
    job.outputs.append(outputs.detach())
    job.step += 1
    return loss.detach()


def attend(job: Job, journal: Journal, control: Control) -> bool:
    """Do what is asked for between two batches; returns whether to go on."""
    wish = control.look()
    if wish == "pause":
        journal.checkpoint(job)
        journal.tell("paused", f"at epoch {job.epoch:.4g}")
        wish = control.sit_out()
        if wish == "run":
            journal.tell("running")
    if wish == "stop":
        journal.checkpoint(job)
        return False
    return True


def save_if_due(job: Job, journal: Journal) -> None:
    """Save a checkpoint where the last one is old enough."""
    if journal.is_checkpoint_due(job):
        journal.checkpoint(job)
