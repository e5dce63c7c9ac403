"""The recorder in somebody else's loop: everything recorded, nothing broken, nobody kept waiting."""

import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from prunescope.engine import Recorder, Store
from prunescope.engine import recording as recording_module
from prunescope.engine.models import state_arrays
from prunescope.engine.store import RunWriter, StoreError, StoreFull
from torch import nn


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), nn.Linear(5, 3)
    )


def step(model):
    """One epoch of somebody's training."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)


def test_four_lines_record_every_epoch_and_the_initialisation(tmp_path, model):
    expected = [state_arrays(model)]
    with Recorder(tmp_path, name="mine", model=model, config={"lr": 0.1}) as recorder:
        for epoch in range(3):
            step(model)
            expected.append(state_arrays(model))
            recorder.log(epoch, {"val/accuracy": epoch / 4})
    run = Store(tmp_path).run(recorder.run_id)
    assert (run.name, run.kind, run.status, run.config) == ("mine", "record", "done", {"lr": 0.1})
    assert run.epochs.tolist() == [0, 1, 2, 3]
    assert [layer.name for layer in run.layers] == ["0", "4", "5"]
    for epoch, arrays in enumerate(expected):
        recorded = run.arrays(epoch)
        assert set(recorded) == set(arrays)
        assert all(np.array_equal(recorded[name], arrays[name]) for name in arrays)
    assert np.array_equal(run.metrics()["val/accuracy"], [np.nan, 0, 0.25, 0.5], equal_nan=True)
    assert run.meta["model"] == "Sequential"


def test_a_loop_that_counts_from_one_keeps_its_numbers(tmp_path, model):
    recorder = Recorder(tmp_path, model=model)
    for epoch in (1, 2.5, 3):
        recorder.log(epoch)
    recorder.close()
    recorder.close()
    recorder.log(4)
    assert Store(tmp_path).run(recorder.run_id).epochs.tolist() == [0, 1, 2.5, 3]


def test_every_second_call_is_recorded(tmp_path, model):
    with Recorder(tmp_path, model=model, every=2) as recorder:
        for epoch in range(1, 6):
            recorder.log(epoch)
    assert Store(tmp_path).run(recorder.run_id).epochs.tolist() == [0, 2, 4]


def test_layers_are_chosen_by_pattern(tmp_path, model):
    with Recorder(tmp_path, model=model, layers=("4", "5"), record_dtype="float16") as recorder:
        recorder.log(1)
    run = Store(tmp_path).run(recorder.run_id)
    assert [(layer.name, layer.dtype) for layer in run.layers] == [("4", "float16"), ("5", "float16")]
    assert set(run.arrays(1)) == set(model.state_dict())


def test_the_model_and_the_random_numbers_are_left_alone(tmp_path, model):
    hooks = [len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()]
    state, training = torch.get_rng_state(), model.training
    with Recorder(tmp_path, model=model) as recorder:
        recorder.log(1)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training == training
    assert hooks == [len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()]


def test_a_snapshot_is_the_model_as_it_was_when_logged(tmp_path, model, monkeypatch):
    """The copy is made at once, however late it is written."""
    allowed = threading.Event()
    commit = RunWriter.commit
    monkeypatch.setattr(RunWriter, "commit", lambda *a: (allowed.wait(10), commit(*a))[1])
    before = model[4].weight.detach().clone().numpy()
    recorder = Recorder(tmp_path, model=model)
    step(model)
    allowed.set()
    recorder.close()
    assert np.array_equal(Store(tmp_path).run(recorder.run_id).weights("4", 0), before)


def test_a_disk_that_hangs_does_not_hold_up_the_training(tmp_path, model, monkeypatch):
    allowed = threading.Event()
    commit = RunWriter.commit
    monkeypatch.setattr(RunWriter, "commit", lambda *a: (allowed.wait(10), commit(*a))[1])
    monkeypatch.setattr(recording_module, "_WAITING_BYTES", 0)
    with pytest.warns(UserWarning, match="skipped: the disk is slower") as caught:
        recorder = Recorder(tmp_path, model=model)
        for epoch in range(1, 21):
            recorder.log(epoch)  # would wait for ever, if it waited
    assert len(caught) == 1
    allowed.set()
    recorder.close()
    run = Store(tmp_path).run(recorder.run_id)
    skipped = 21 - len(run.epochs)
    assert skipped >= 15
    assert run.head.message == f"{skipped} snapshots were not recorded."
    assert run.status == "done"


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"every": "x"},
        {"layers": ("no such layer",)},
        {"layers": 5},
        {"record_dtype": "float7"},
        {"total_epochs": "many"},
        {"data": (1,)},
        {"model": None},
    ],
)
def test_a_bad_argument_is_one_warning_and_training_goes_on(tmp_path, model, wrong):
    with (
        pytest.warns(UserWarning, match=r"recording is off.*training goes on") as caught,
        Recorder(tmp_path, **({"model": model} | wrong)) as recorder,
    ):
        for epoch in range(3):
            recorder.log(epoch, {"loss": 1})
    assert len(caught) == 1


def test_a_place_that_cannot_be_written_is_one_warning(tmp_path, model):
    (tmp_path / "file").write_text("")
    with (
        pytest.warns(UserWarning, match="recording is off") as caught,
        Recorder(tmp_path / "file", model=model) as recorder,
    ):
        recorder.log(0)
    assert len(caught) == 1
    assert recorder.run_id is None


def test_a_bad_call_of_log_is_one_warning_and_the_next_is_recorded(tmp_path, model):
    with pytest.warns(UserWarning) as caught, Recorder(tmp_path, model=model) as recorder:
        recorder.log(1, {"loss": "much", "ok": torch.tensor(2.0)})
        recorder.log(2, {"loss": "much"})
        recorder.log("three")
        recorder.log(float("nan"))
        recorder.log(1)
        recorder.log(4)
    messages = sorted(str(warning.message) for warning in caught)
    assert len(messages) == 2
    assert "'three' was not recorded" in messages[0]
    assert "'loss' is left out: 'much' is not a number" in messages[1]
    run = Store(tmp_path).run(recorder.run_id)
    assert run.epochs.tolist() == [0, 1, 2, 4]
    assert run.metrics()["ok"][1] == 2
    assert "3 snapshots" in run.head.message


def test_a_full_disk_is_one_warning_and_recording_goes_on_when_there_is_room(tmp_path, model, monkeypatch):
    commit = RunWriter.commit
    full = {2.0, 3.0}

    def fail(self, epoch, *rest):
        if epoch in full:
            raise StoreFull("The disk is full")
        return commit(self, epoch, *rest)

    monkeypatch.setattr(RunWriter, "commit", fail)
    with (
        pytest.warns(UserWarning, match="disk is full") as caught,
        Recorder(tmp_path, model=model) as recorder,
    ):
        for epoch in range(1, 6):
            recorder.log(epoch)
    assert len(caught) == 1
    run = Store(tmp_path).run(recorder.run_id)
    assert run.epochs.tolist() == [0, 1, 4, 5]
    assert run.head.message == "2 snapshots were not recorded."
    assert run.status == "done"


def test_a_run_taken_by_another_writer_is_one_warning(tmp_path, model, monkeypatch):
    def refuse(*_, **__):
        raise StoreError("locked by a stranger")

    monkeypatch.setattr(Store, "writer", refuse)
    with (
        pytest.warns(UserWarning, match="recording has ended: locked by a stranger") as caught,
        Recorder(tmp_path, model=model) as recorder,
    ):
        for epoch in range(3):
            recorder.log(epoch)
    assert len(caught) == 1


def test_where_warnings_are_errors_it_logs_instead(tmp_path, model, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Recorder(tmp_path, model=model, every=-1) as recorder:
            recorder.log(0)
    assert "every=-1" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("loss is nan"), "failed"), (KeyboardInterrupt(), "stopped")]
)
def test_an_error_of_the_training_passes_through_and_is_noted(tmp_path, model, error, status):
    with pytest.raises(type(error)), Recorder(tmp_path, model=model) as recorder:
        recorder.log(1)
        raise error
    run = Store(tmp_path).run(recorder.run_id)
    assert (run.status, len(run.epochs)) == (status, 2)
    assert ("loss is nan" in run.head.message) == (status == "failed")


def test_the_run_is_live_while_the_training_runs(tmp_path, model):
    with Recorder(tmp_path, model=model, total_epochs=7) as recorder:
        recorder.log(1)
        run = Store(tmp_path).run(recorder.run_id)
        deadline = time.monotonic() + 20
        while len(run.epochs) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (run.status, run.head.total_epochs, len(run.epochs)) == ("running", 7, 2)


def test_data_for_later_measurements_is_kept_with_the_run(tmp_path, model):
    inputs, targets = torch.rand(6, 1, 8, 8), torch.arange(6) % 3
    with Recorder(tmp_path, model=model, data=(inputs, targets)) as recorder:
        pass
    back = Store(tmp_path).run(recorder.run_id).evaluation_data()
    assert np.array_equal(back[0], inputs.numpy())
    assert np.array_equal(back[1], targets.numpy())


def test_a_config_of_anything_becomes_words(tmp_path, model):
    config = {"path": tmp_path, "size": np.int64(3), "sizes": (1, {2}), "model": nn.ReLU(), 5: None}
    with Recorder(tmp_path, model=model, config=config) as recorder:
        pass
    stored = Store(tmp_path).run(recorder.run_id).config
    assert stored == {"path": str(tmp_path), "size": 3, "sizes": [1, [2]], "model": "ReLU()", "5": None}


@pytest.mark.parametrize(("ending", "status"), [("", "done"), ("raise ValueError('bad')", "failed")])
def test_a_program_that_ends_without_close_loses_nothing(tmp_path, ending, status):
    code = textwrap.dedent("""
        import sys, torch
        from prunescope.engine import Recorder
        recorder = Recorder(sys.argv[1], name="end", model=torch.nn.Sequential(torch.nn.Linear(500, 500)))
        for epoch in range(5):
            recorder.log(epoch)
    """)
    subprocess.run([sys.executable, "-c", code + ending, str(tmp_path)], capture_output=True, check=False)
    run = Store(tmp_path).run("end")
    assert (run.status, len(run.epochs)) == (status, 6)
