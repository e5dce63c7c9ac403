"""Writing: whole snapshots, nothing overwritten, and what the head says."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from prunescope.engine.store import (
    LayerInfo,
    NotDeterministic,
    RunDamaged,
    RunLocked,
    StoreError,
    checkpoints,
    control,
)


@pytest.fixture
def run_id(store):
    return store.create_run({})


@pytest.fixture
def writer(store, run_id, layers):
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=5, meta={"torch": "x"})
        yield writer


@pytest.fixture
def run(store, run_id, writer):
    return store.run(run_id)


def test_a_snapshot_comes_back_as_it_was(run, writer, tensors):
    writer.commit(0, tensors(0), {"loss": 2.5})
    arrays = run.arrays(0)
    assert list(arrays) == list(tensors(0))
    for name, array in tensors(0).items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert np.array_equal(arrays[name], array)
    assert run.meta == {"torch": "x"}


def test_every_commit_and_change_of_state_moves_the_version_on(run, writer, tensors):
    seen = [run.version]
    writer.set_state("running")
    seen.append(run.version)
    for epoch in range(3):
        assert writer.commit(epoch, tensors(epoch), {}) == run.version
        seen.append(run.version)
    assert seen == sorted(set(seen))


def test_the_head_says_how_far_the_run_is(run, writer, tensors):
    accuracies = [0.1, 0.5, 0.5, 0.4]
    for epoch, accuracy in enumerate(accuracies):
        writer.commit(epoch, tensors(epoch), {"val/accuracy": accuracy, "train/accuracy": 1.0})
    writer.set_state("paused", "at lunch")
    head = run.head
    assert (head.n_snapshots, head.epoch, head.total_epochs) == (4, 3.0, 5)
    assert (head.state, head.message) == ("paused", "at lunch")
    assert head.best == {"metric": "val/accuracy", "value": 0.5, "epoch": 1.0}
    assert abs(head.updated - time.time()) < 60


def test_fractions_are_snapshots_inside_an_epoch(run, writer, tensors):
    for epoch in (0, 0.01, 0.5, 1, 1.25):
        writer.commit(epoch, tensors(epoch), {})
    assert run.epochs.tolist() == [0, 0.01, 0.5, 1, 1.25]
    assert np.array_equal(run.weights("fc", 0.01), tensors(0.01)["fc.weight"])


def test_an_epoch_computed_again_is_accepted_when_equal(run, writer, tensors):
    versions = [writer.commit(epoch, tensors(epoch), {}) for epoch in range(3)]
    assert writer.commit(1, tensors(1), {"seconds": 7.0}) == versions[-1]
    assert len(run.epochs) == 3


@pytest.mark.parametrize("changed", ["fc.weight", "fc.bias", "conv.weight", "bn.num_batches_tracked"])
def test_an_epoch_computed_again_is_refused_when_unequal(run, writer, tensors, changed):
    writer.commit(0, tensors(0), {})
    writer.commit(1, tensors(1), {})
    other = tensors(1) | {changed: tensors(1)[changed] + 1}
    with pytest.raises(NotDeterministic, match=r"not deterministic: epoch 1 differs"):
        writer.commit(1, other, {})
    assert np.array_equal(run.arrays(1)[changed], tensors(1)[changed])


def test_epochs_must_increase(writer, tensors):
    writer.commit(1, tensors(1), {})
    with pytest.raises(StoreError, match=r"epoch 0\.5: comes after epoch 1"):
        writer.commit(0.5, tensors(0.5), {})


def test_a_tensor_that_was_declared_must_be_there_in_its_shape(run, writer, tensors):
    without = tensors(0)
    del without["fc.weight"]
    with pytest.raises(StoreError, match=r"'fc\.weight' is absent"):
        writer.commit(0, without, {})
    with pytest.raises(StoreError, match=r"of shape \(3, 3\); it was declared as \(100, 120\)"):
        writer.commit(0, tensors(0) | {"fc.weight": np.zeros((3, 3))}, {})
    assert run.head.n_snapshots == 0


def test_layers_are_declared_before_the_first_commit(store, run_id, tensors):
    with store.writer(run_id) as writer, pytest.raises(StoreError, match="declare"):
        writer.commit(0, tensors(0), {})


def test_a_metric_must_be_a_number(writer, tensors):
    with pytest.raises(StoreError, match=r"metric 'loss': 'much' is not a number"):
        writer.commit(0, tensors(0), {"loss": "much"})


def test_double_precision_comes_back_exactly(run, writer, tensors):
    exact = tensors(0)["fc.weight"].astype(np.float64) / 3
    writer.commit(0, tensors(0) | {"fc.weight": exact}, {})
    assert np.array_equal(run.arrays(0)["fc.weight"], exact)
    assert np.array_equal(run.weights("fc", 0), exact.astype(np.float32))


def test_a_transposed_weight_is_recorded_as_it_reads(run, writer, tensors):
    turned = np.asfortranarray(tensors(0)["fc.weight"])
    writer.commit(0, tensors(0) | {"fc.weight": turned}, {})
    assert np.array_equal(run.weights("fc", 0), turned)


def test_declaring_again_is_quiet_and_declaring_otherwise_is_refused(store, writer, run, layers):
    writer.declare(layers, total_epochs=9)
    assert run.head.total_epochs == 9
    with pytest.raises(StoreError, match="other shapes"):
        writer.declare(layers[:1], total_epochs=9)


def test_layers_must_have_names_of_their_own(store, layers):
    with store.writer(store.create_run({})) as writer, pytest.raises(StoreError, match="once"):
        writer.declare([layers[0], layers[0]], total_epochs=1)


@pytest.mark.parametrize(
    "wrong", [{"units": 0}, {"fan_in": 0}, {"shape": (3, 4)}, {"shape": ()}, {"dtype": "bfloat16"}]
)
def test_a_layer_that_does_not_fit_together_is_refused(wrong):
    right = {"name": "x", "kind": "linear", "units": 4, "fan_in": 3, "shape": (4, 3)}
    LayerInfo(**right)
    with pytest.raises(StoreError, match="layer 'x'"):
        LayerInfo(**(right | wrong))


def test_requests_arrive_in_order_and_once(run, writer):
    for action in ("pause", "resume", "stop"):
        run.request(action)
    assert writer.requests() == ["pause", "resume", "stop"]
    assert writer.requests() == []
    with pytest.raises(StoreError, match=r"'explode'.*pause"):
        run.request("explode")


def test_strange_files_among_the_requests_are_ignored(run, writer):
    for name in ("x", "00000000000000000001-00000000.explode", ".tmp-stop"):
        (run.path / control.FOLDER / name).write_text("")
    run.request("stop")
    assert writer.requests() == ["stop"]


def test_a_request_to_the_last_writer_does_not_stop_the_next(store, run_id):
    with store.writer(run_id):
        pass
    run = store.run(run_id)
    os.utime(run.path / "heartbeat", (time.time() + 60,) * 2)
    run.request("stop")
    with store.writer(run_id) as writer:
        assert writer.requests() == []
    os.utime(run.path / "heartbeat", (time.time() - 60,) * 2)
    run.request("pause")
    with store.writer(run_id) as writer:
        assert writer.requests() == ["pause"]


def test_the_newest_whole_checkpoint_is_loaded(run, writer, tensors):
    assert writer.load_checkpoint() is None
    for epoch in range(3):
        writer.commit(epoch, tensors(epoch), {})
        writer.save_checkpoint(b"state %d" % epoch, epoch)
    assert writer.load_checkpoint() == (2.0, b"state 2")
    kept = sorted((run.path / checkpoints.FOLDER).iterdir())
    assert len(kept) == 2
    data = bytearray(kept[-1].read_bytes())
    data[70] ^= 1
    kept[-1].write_bytes(data)
    assert writer.load_checkpoint() == (1.0, b"state 1")
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    assert writer.load_checkpoint() is None


def test_a_checkpoint_makes_what_came_before_it_durable(run, writer, tensors):
    writer.commit(0, tensors(0), {})
    writer.commit(1, tensors(1), {})
    assert run.head.durable_epoch is None
    writer.save_checkpoint(b"x", 1)
    assert run.head.durable_epoch == 1


@pytest.fixture
def synced(monkeypatch):
    """Endings of the files made durable, in order."""
    order = []
    real = os.fsync

    def fsync(handle):
        order.append(str(Path(f"/proc/self/fd/{handle}").readlink()).rsplit(".", 1)[-1])
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return order


def test_snapshots_are_synced_before_the_checkpoint_is_written(writer, tensors, synced):
    writer.commit(0, tensors(0), {})
    assert synced == []
    writer.save_checkpoint(b"x", 0)
    assert synced.index("val") < synced.index("db-wal") < synced.index("ckpt")


def test_durable_says_so_at_every_epoch(store, layers, tensors, synced):
    run_id = store.create_run({})
    with store.writer(run_id, durable=True) as writer:
        writer.declare(layers, total_epochs=1)
        writer.commit(0, tensors(0), {})
        assert store.run(run_id).head.durable_epoch == 0
        assert "val" in synced
        assert writer._ledger._cache._sql("PRAGMA synchronous").fetchall() == [(2,)]


def test_data_for_later_measurements_comes_back(run, writer):
    assert run.evaluation_data() is None
    inputs, targets = np.random.default_rng(0).random((5, 1, 8, 8)), np.arange(5)
    writer.save_evaluation_data(inputs, targets)
    back = run.evaluation_data()
    assert np.array_equal(back[0], inputs)
    assert np.array_equal(back[1], targets)


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [(ValueError("bad"), "failed", "ValueError: bad"), (KeyboardInterrupt(), "stopped", "")],
)
def test_a_block_that_breaks_off_says_how_it_ended(store, run_id, error, state, message):
    with pytest.raises(type(error)), store.writer(run_id) as writer:
        writer.set_state("running")
        raise error
    assert (store.run(run_id).status, store.run(run_id).head.message) == (state, message)


def test_an_end_that_was_told_already_stays(store, run_id):
    with pytest.raises(ValueError), store.writer(run_id) as writer:
        writer.set_state("done")
        raise ValueError
    assert store.run(run_id).status == "done"


def test_an_unknown_state_is_refused(writer):
    with pytest.raises(StoreError, match=r"'dancing'.*running"):
        writer.set_state("dancing")


def test_a_long_message_is_cut_so_that_the_head_stays_small(run, writer):
    writer.set_state("failed", "x" * 100_000)
    assert len(run.head.message) == 2000


def test_a_closed_writer_refuses_and_a_new_one_goes_on(store, run_id, layers, tensors):
    writer = store.writer(run_id)
    writer.declare(layers, total_epochs=2)
    writer.commit(0, tensors(0), {})
    writer.close()
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.commit(1, tensors(1), {})
    with store.writer(run_id) as again:
        assert again.head.epoch == 0
        again.declare(layers, total_epochs=2)
        again.commit(1, tensors(1), {})
    assert store.run(run_id).epochs.tolist() == [0, 1]


def test_a_second_writer_is_refused_and_harms_nothing(store, run, writer, tensors):
    writer.commit(0, tensors(0), {})
    with pytest.raises(RunLocked, match=str(os.getpid())):
        store.writer(run.id)
    writer.commit(1, tensors(1), {})
    assert len(run.epochs) == 2


def test_a_writer_refuses_a_database_without_its_head(store, record):
    run_id = record(1)
    import sqlite3

    with sqlite3.connect(store.root / run_id / "store" / "cache.db") as database:
        database.execute("DELETE FROM Cache WHERE key='head'")
    database.close()
    with pytest.raises(RunDamaged, match="head"):
        store.writer(run_id)
    with pytest.raises(RunDamaged, match="head"):  # and not: locked by the first try
        store.writer(run_id)


def test_a_run_that_was_removed_is_an_error_and_does_not_come_back(writer, run, tensors):
    writer.commit(0, tensors(0), {})
    shutil.rmtree(run.path)
    with pytest.raises(StoreError, match="cannot save epoch 1"):
        writer.commit(1, tensors(1), {})
    assert not run.path.exists()
