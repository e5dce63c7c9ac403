"""The database we accept is the one diskcache makes."""

import sqlite3

import diskcache
import pytest
from prunescope.engine.store import RunDamaged, schema
from prunescope.engine.store.disk import open_cache


def test_what_diskcache_makes_is_accepted(tmp_path):
    open_cache(tmp_path).close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        schema.check_schema(database, "x")
        schema.check_settings(database, "x")
    database.close()


def test_what_other_settings_of_diskcache_leave_behind_is_accepted(tmp_path):
    for policy in diskcache.EVICTION_POLICY:
        diskcache.Cache(str(tmp_path), eviction_policy=policy, tag_index=1).close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        schema.check_schema(database, "x")
        schema.check_settings(database, "x")
    database.close()


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TABLE extra (x)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER UPDATE ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE INDEX i ON Cache(abs(key))",
        "DROP TRIGGER Settings_size_delete",
        "DROP INDEX Cache_key_raw",
        "CREATE TABLE other (x UNIQUE)",
    ],
)
def test_anything_else_is_refused(tmp_path, planted):
    open_cache(tmp_path).close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute(planted)
        with pytest.raises(RunDamaged, match="not one of this product"):
            schema.check_schema(database, "x")
    database.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sqlite_temp_store_directory", "/elsewhere"),
        ("disk_x", 1),
        ("sqlite_synchronous", "1; x"),
        ("cull_limit", None),
    ],
)
def test_settings_that_would_become_pragmas_are_refused(tmp_path, key, value):
    open_cache(tmp_path).close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("INSERT OR REPLACE INTO Settings VALUES (?, ?)", (key, value))
        with pytest.raises(RunDamaged, match="unknown setting"):
            schema.check_settings(database, "x")
    database.close()
