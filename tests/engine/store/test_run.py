"""Reading: trajectories, metrics, states, and many readers at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from prunescope.engine.store import EpochNotFound, LayerNotFound, Run
from prunescope.engine.store import run as run_module
from prunescope.engine.store.reading import Database


@pytest.mark.parametrize("layer", ["fc", "conv"])
def test_a_trajectory_is_all_weights_stacked(store, record, tensors, layers, layer):
    run = store.run(record(6))
    info = run.layer(layer)
    slow = np.stack([tensors(epoch)[f"{layer}.weight"].reshape(info.units, -1) for epoch in range(6)])
    assert np.array_equal(run.trajectory(layer), slow)
    assert np.array_equal(run.trajectory(layer, 4), slow[4:])
    assert np.array_equal(run.trajectory(layer, 1, stop=3), slow[1:3])
    assert np.array_equal(run.weights(layer, 2), slow[2])
    assert run.trajectory(layer, 6).shape == (0, info.units, info.fan_in)
    assert run.trajectory(layer).dtype == np.float32
    assert run.layers == layers


def test_a_trajectory_is_read_on_several_threads_when_large(store, record, tensors, monkeypatch):
    monkeypatch.setattr("prunescope.engine.store.snapshots._WORTH_THREADS", 0)
    run = store.run(record(6))
    assert np.array_equal(run.trajectory("fc")[3], tensors(3)["fc.weight"])


def test_half_precision_halves_the_space_and_keeps_the_weights(store, layers, tensors):
    run_id = store.create_run({})
    half = [replace(layer, dtype="float16") for layer in layers]
    with store.writer(run_id) as writer:
        writer.declare(half, total_epochs=2)
        for epoch in range(2):
            writer.commit(epoch, tensors(epoch), {})
            writer.commit(epoch, tensors(epoch), {})
    run = store.run(run_id)
    exact = tensors(1)["fc.weight"]
    for back in (run.weights("fc", 1), run.trajectory("fc")[1], run.arrays(1)["fc.weight"]):
        assert back.dtype == np.float32
        cosine = (back * exact).sum(1) / np.linalg.norm(back, axis=1) / np.linalg.norm(exact, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine.astype(float), -1, 1))).max() < 0.05
        assert np.abs(back - exact).max() < 2.0**-11 * np.abs(exact).max()
    ((size,),) = run._database.select("SELECT length(value) FROM Cache WHERE key='w/0000/000000001000000'")
    assert size < 100 * 120 * 2 + 100 * 4 + 100


def test_metrics_are_aligned_with_the_epochs(store, layers, tensors):
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=3)
        run = store.run(run_id)
        assert run.metrics() == {}
        writer.commit(0, tensors(0), {"loss": 2})
        assert run.metrics()["loss"].tolist() == [2]
        writer.commit(1, tensors(1), {"accuracy": 0.5})
        writer.commit(2, tensors(2), {"loss": float("inf"), "accuracy": float("nan")})
    metrics = run.metrics()
    assert np.array_equal(metrics["loss"], [2, np.nan, np.inf], equal_nan=True)
    assert np.array_equal(metrics["accuracy"], [np.nan, 0.5, np.nan], equal_nan=True)
    assert all(values.dtype == np.float64 for values in metrics.values())


def test_epochs_cannot_be_changed_by_a_caller(store, record):
    with pytest.raises(ValueError, match="read-only"):
        store.run(record(2)).epochs[0] = 7


def test_what_is_not_there_is_named_beside_what_is(store, record):
    run = store.run(record(3))
    with pytest.raises(LayerNotFound, match=r"no layer 'fc9'.*'fc', 'conv'"):
        run.weights("fc9", 0)
    with pytest.raises(EpochNotFound, match=r"no snapshot of epoch 7; there are 3 from 0 to 2"):
        run.weights("fc", 7)
    with pytest.raises(KeyError):
        run.arrays(0.5)


def test_a_state_dict_loads_into_the_model(store):
    import torch
    from prunescope.engine.models import state_arrays, unit_layers

    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 3)
    )
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare(unit_layers(model), total_epochs=1)
        writer.commit(0, state_arrays(model), {})
    state = store.run(run_id).state_dict(0)
    assert list(state) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)
    model.load_state_dict(state)


def test_the_log_shows_its_last_lines_as_text(store):
    run = store.run(store.create_run({}))
    assert run.log_tail() == []
    (run.path / "log.txt").write_bytes(b"".join(b"line %d \xff\n" % i for i in range(50_000)))
    assert run.log_tail(2) == ["line 49998 \ufffd", "line 49999 \ufffd"]


def test_a_sound_run_verifies(store, record):
    assert store.run(record(3)).verify() == []


def test_one_run_serves_many_threads(store, record, tensors):
    run = store.run(record(10))

    def read(i: int) -> bool:
        epoch = i % 10
        assert run.version > 0
        assert len(run.metrics()["val/accuracy"]) == 10
        return np.array_equal(run.weights("fc", epoch), tensors(epoch)["fc.weight"])

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(read, range(320)))


def test_two_threads_that_open_a_run_at_once_both_see_its_epochs(store, record, monkeypatch):
    run = Run(store.root / record(3))
    first_is_reading, second_is_done = threading.Event(), threading.Event()
    select = Database.select

    def slow_select(self, statement, parameters=()):
        if not first_is_reading.is_set():
            first_is_reading.set()
            second_is_done.wait(20)
        return select(self, statement, parameters)

    monkeypatch.setattr(Database, "select", slow_select)
    monkeypatch.setattr(run_module, "settled", lambda signature: True)  # as if written long ago
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: len(run.epochs))
        assert first_is_reading.wait(20)
        second = len(run.epochs)
        second_is_done.set()
        assert (first.result(), second) == (3, 3)
    run.close()


def test_readers_see_snapshots_whole_while_they_are_written(store, layers):
    run_id = store.create_run({})
    writing = threading.Event()
    torn, polls = [], [0]

    def read() -> None:
        run = Run(store.root / run_id)
        last = 0
        while not writing.is_set():
            head = run.head
            polls[0] += 1
            assert head.n_snapshots >= last
            if head.n_snapshots > last:
                last = head.n_snapshots
                arrays = run.arrays(head.epoch)
                values = {float(value) for array in arrays.values() for value in np.unique(array)}
                if values != {head.epoch} or len(run.epochs) < last:
                    torn.append((head, values))
        run.close()

    with store.writer(run_id) as writer, ThreadPoolExecutor(4) as pool:
        writer.declare(layers, total_epochs=None)
        readers = [pool.submit(read) for _ in range(4)]
        try:
            for epoch in range(60):
                full = {name: np.full(shape, epoch, np.float32) for name, shape in _SHAPES.items()}
                writer.commit(epoch, full, {})
        finally:
            writing.set()
        for reader in readers:
            reader.result()
    assert torn == []
    assert polls[0] > 100


_SHAPES = {"fc.weight": (100, 120), "conv.weight": (4, 1, 3, 3), "fc.bias": (20_000,)}
