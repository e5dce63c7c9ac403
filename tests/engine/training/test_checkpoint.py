"""A resumed run equals the uninterrupted one to the bit; every part of a checkpoint is needed for that."""

import io
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from prunescope.engine.training import checkpoint, job, session, train, train_run
from prunescope.engine.training.checkpoint import CheckpointError, from_bytes, to_bytes
from prunescope.engine.training.control import Control
from prunescope.engine.training.environment import settled
from prunescope.engine.training.job import new_job
from prunescope.engine.training.journal import Journal
from prunescope.engine.training.loop import step
from torch import nn

PARTS_BETWEEN_EPOCHS = ("weights", "buffers", "optimizer", "schedule", "order", "torch", "numpy", "python")


class Capricious(nn.Module):
    """Depends on all that a checkpoint must hold: BatchNorm, dropout, numpy's and Python's generators."""

    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.fc1 = nn.Linear(64, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        x = self.drop(self.norm(self.fc1(self.flat(x))).relu())
        if self.training:
            x = x * (1 + 0.1 * np.random.standard_normal() + 0.1 * random.random())  # noqa: NPY002
        return self.fc2(x)


def capricious_net(config, data):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Capricious()


@pytest.fixture
def capricious(monkeypatch):
    monkeypatch.setattr(job, "build_for", capricious_net)


@pytest.fixture
def config(small):
    return small(epochs=2, schedule="cosine", warmup_epochs=0.5)


def advance(one, steps):
    """Train by hand; returns the final state as bytes of every tensor."""
    end = one.step + steps
    while one.step < end:
        rows = one.draw_rows()
        while True:
            step(one, rows)
            if one.is_between_epochs or one.step == end:
                break
        if one.is_between_epochs:
            one.end_epoch()
    return {name: tensor.clone() for name, tensor in one.model.state_dict().items()}


def resumed(config, first, second):
    """Train, save, throw all away, put other numbers everywhere, restore, go on."""
    with settled(threads=1):
        begun = new_job(config)
        advance(begun, first)
        payload = to_bytes(begun)
    with settled(threads=1):
        again = new_job(config)
        advance(again, 6)  # whatever a part does not restore is now wrong
        again.end_epoch()
        from_bytes(again, payload)
        return advance(again, second), again


def differences(one, other):
    return [name for name in one if not torch.equal(one[name], other[name])]


# Five steps an epoch: at the start, inside the first epoch, between two, inside the second.
@pytest.mark.parametrize("first", [0, 3, 5, 7])
def test_a_resumed_job_ends_in_the_same_bits(capricious, config, first):
    with settled(threads=1):
        straight = advance(new_job(config), 9)
    assert differences(straight, resumed(config, first, 9 - first)[0]) == []


@pytest.mark.parametrize("part", PARTS_BETWEEN_EPOCHS)
def test_leaving_out_any_part_changes_the_result(capricious, config, monkeypatch, part):
    with settled(threads=1):
        straight = advance(new_job(config), 9)
    monkeypatch.delitem(checkpoint.PARTS, part)
    assert differences(straight, resumed(config, 5, 4)[0]) != []


def test_leaving_out_what_the_epoch_has_shown_so_far_changes_the_metrics(capricious, config, monkeypatch):
    assert len(resumed(config, 7, 2)[1].outputs) == 4
    monkeypatch.delitem(checkpoint.PARTS, "outputs")
    assert len(resumed(config, 7, 2)[1].outputs) == 2


def test_the_parts_are_all_tested():
    assert set(checkpoint.PARTS) == {*PARTS_BETWEEN_EPOCHS, "masks", "outputs"}


def test_the_number_of_threads_comes_back_with_the_checkpoint(config):
    with settled(threads=2):
        payload = to_bytes(new_job(config))
    with settled(threads=1):
        from_bytes(new_job(config), payload)
        assert torch.get_num_threads() == 2


def test_a_checkpoint_of_another_model_is_refused(config, small):
    with settled(threads=1):
        payload = to_bytes(new_job(config))
        with pytest.raises(CheckpointError, match="Resume with the code that began the run"):
            from_bytes(new_job(small(hidden=(16, 8))), payload)


def test_a_checkpoint_of_another_format_is_refused(config, monkeypatch):
    with settled(threads=1):
        one = new_job(config)
        monkeypatch.setattr(checkpoint, "FORMAT", 99)
        payload = to_bytes(one)
        monkeypatch.undo()
        with pytest.raises(CheckpointError, match="format 99"):
            from_bytes(one, payload)


def test_a_checkpoint_that_would_run_code_is_refused(config, tmp_path):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "canary"), "w")

    buffer = io.BytesIO()
    torch.save({"format": checkpoint.FORMAT, "threads": 1, "parts": Payload()}, buffer)
    with settled(threads=1), pytest.raises(CheckpointError, match="something else than tensors"):
        from_bytes(new_job(config), buffer.getvalue())
    assert not (tmp_path / "canary").exists()


def stop_at(store, epoch):
    """A callback that asks for a stop, as the dashboard would."""

    def stop(reached, metrics):
        if reached == epoch:
            store.runs()[0].request("stop")

    return stop


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(capricious, store, config, assert_same_run):
    stopped = train(config, store, on_epoch=stop_at(store, 1.0))
    assert stopped.status == "stopped"
    assert stopped.epochs.tolist() == [0.0, 1.0]
    finished = train_run(store, stopped.id)
    assert finished.status == "done"
    assert_same_run(finished, train(config, store))


def test_a_run_that_goes_on_under_another_torch_says_so(store, config, monkeypatch):
    began_with = torch.__version__
    stopped = train(config, store, on_epoch=stop_at(store, 1.0))
    monkeypatch.setattr(torch, "__version__", "99.0")
    said = []
    train_run(store, stopped.id, on_epoch=lambda *_: said.append(store.run(stopped.id).head.message))
    assert said[0] == (
        f"goes on with torch 99.0, and was saved by {began_with}: not bit for bit the same training"
    )


def test_a_stop_that_an_earlier_process_never_read_does_not_end_the_resumed_one(store, config):
    stopped = train(config, store, on_epoch=stop_at(store, 1.0))
    stopped.request("stop")
    assert train_run(store, stopped.id).status == "done"


def test_a_stop_asked_of_a_queued_run_holds(store, config):
    run = store.run(store.create_run(config.to_dict(), name="waiting"))
    run.request("stop")
    assert train_run(store, run.id).status == "stopped"


def test_a_run_at_a_slow_pace_saves_each_epoch_once_before_it_rests(store, config, monkeypatch):
    did = []
    save, rest = Journal.checkpoint, Control.rest
    monkeypatch.setattr(Journal, "checkpoint", lambda self, job: did.append(job.epoch) or save(self, job))
    monkeypatch.setattr(Control, "rest", lambda self, seconds: did.append("rest") or rest(self, seconds))
    # A pause of 100 times what saving costs makes the next checkpoint due again.
    monkeypatch.setattr("prunescope.engine.training.journal.CHECKPOINT_PATIENCE", 0)
    train(replace(config, epochs=3, min_epoch_seconds=0.2), store)
    # The last one is that of the end.
    assert did == [1, "rest", 2, "rest", 3, "rest", 3]


def test_a_finished_run_is_not_trained_again(store, config, monkeypatch):
    run = train(config, store)
    monkeypatch.setattr(session, "work", None)
    assert train_run(store, run.id).status == "done"


def test_a_run_that_recomputes_other_numbers_says_so(store, config, monkeypatch):
    """The snapshots are there and the checkpoint is lost: what is recomputed must be the same."""
    stopped = train(config, store, on_epoch=stop_at(store, 1.0))
    real = session.new_job

    def unlike(config, progress):
        made = real(config, progress=progress)
        with torch.no_grad():
            made.model.fc1.weight[0, 0] += 1
        return made

    monkeypatch.setattr(session, "new_job", unlike)
    monkeypatch.setattr(session, "from_bytes", lambda made, payload: torch.__version__)
    with pytest.raises(Exception, match="not deterministic"):
        train_run(store, stopped.id)
    assert store.run(stopped.id).status == "failed"
    assert "epoch 0" in store.run(stopped.id).head.message


def test_capricious_runs_need_more_than_the_seed_of_torch(capricious, store, config, assert_same_run):
    random.seed(77)
    np.random.seed(77)  # noqa: NPY002
    one = train(config, store)
    random.seed(78)
    np.random.seed(78)  # noqa: NPY002
    assert_same_run(one, train(config, store))
