"""Recorded data is never dropped, whatever diskcache's defaults would do."""

import sqlite3

import diskcache
import numpy as np
import pytest
from prunescope.engine.store import StoreError, disk


def test_nothing_is_evicted_past_the_size_limit(store, layers, tensors):
    """A limit of 1 byte stands for the default of 1 GiB; tests/benchmarks/promises.py writes gigabytes."""
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=20)
        writer._ledger._cache.reset("size_limit", 1)
        for epoch in range(20):
            writer.commit(epoch, tensors(epoch), {})
    run = store.run(run_id)
    assert len(run.epochs) == 20
    assert run.verify() == []


def test_a_strangers_default_open_in_between_evicts_nothing(store, layers, tensors):
    run_id = store.create_run({})
    folder = str(store.root / run_id / "store")
    for start in (0, 5):
        with store.writer(run_id) as writer:
            writer.declare(layers, total_epochs=10)
            for epoch in range(start, start + 5):
                writer.commit(epoch, tensors(epoch), {})
                with diskcache.Cache(folder) as rogue:
                    rogue.cull()
                    rogue.expire()
    assert store.run(run_id).verify() == []
    assert len(store.run(run_id).epochs) == 10


def test_settings_that_a_stranger_changed_are_restored(store, layers, tensors):
    run_id = store.create_run({})
    folder = str(store.root / run_id / "store")
    with store.writer(run_id) as writer:
        writer.declare(layers, total_epochs=3)
        writer.commit(0, tensors(0), {})
        diskcache.Cache(folder, eviction_policy="least-recently-used", cull_limit=7, size_limit=1).close()
        writer.commit(1, tensors(1), {})
        held = dict(writer._ledger._cache._sql("SELECT key, value FROM Settings").fetchall())
        assert (held["eviction_policy"], held["cull_limit"]) == ("none", 0)
    diskcache.Cache(folder, eviction_policy="least-frequently-used", cull_limit=7).close()
    with store.writer(run_id) as writer:
        writer.commit(2, tensors(2), {})
        cache = writer._ledger._cache
        assert (cache.eviction_policy, cache.cull_limit) == ("none", 0)
    run = store.run(run_id)
    assert np.array_equal(run.trajectory("conv")[2], tensors(2)["conv.weight"].reshape(4, 9))
    assert run.verify() == []


def test_a_stranger_that_keeps_the_database_locked_is_named_not_waited_for(store, record, monkeypatch):
    monkeypatch.setattr(disk, "TIMEOUT", 0.2)
    run_id = record(2)
    stranger = sqlite3.connect(store.root / run_id / "store" / "cache.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.writer(run_id)
    assert len(store.run(run_id).trajectory("fc")) == 2
    stranger.execute("ROLLBACK")
    with store.writer(run_id) as writer:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="lock"):
            writer.set_state("running")
        stranger.execute("ROLLBACK")
        writer.set_state("running")
    stranger.close()
