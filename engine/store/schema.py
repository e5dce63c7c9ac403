"""The database that diskcache makes, to compare a stranger's with before it is used.

A planted trigger or view would run on our statements, and planted settings would become PRAGMAs of the
writer: what is not exactly this is refused.
"""

import sqlite3
from collections.abc import Iterable

import diskcache
from prunescope.engine.store.errors import RunDamaged

_TRIGGER = (
    "CREATE TRIGGER Settings_{} AFTER {} ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value {} END"
)

REQUIRED = frozenset(
    {
        "CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)",
        "CREATE TABLE Cache ( rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL, "
        "expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB, "
        "size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)",
        "CREATE UNIQUE INDEX Cache_key_raw ON Cache(key, raw)",
        "CREATE INDEX Cache_expire_time ON Cache (expire_time)",
        _TRIGGER.format("count_insert", "INSERT", '+ 1 WHERE key = "count";'),
        _TRIGGER.format("count_delete", "DELETE", '- 1 WHERE key = "count";'),
        _TRIGGER.format("size_insert", "INSERT", '+ NEW.size WHERE key = "size";'),
        _TRIGGER.format("size_update", "UPDATE", '+ NEW.size - OLD.size WHERE key = "size";'),
        _TRIGGER.format("size_delete", "DELETE", '- OLD.size WHERE key = "size";'),
        None,  # the index behind UNIQUE has no text
    }
)
# Left behind when somebody opened the store with other settings: indices compute nothing, so they may stay.
TOLERATED = frozenset(
    {
        "CREATE INDEX Cache_store_time ON Cache (store_time)",
        "CREATE INDEX Cache_access_time ON Cache (access_time)",
        "CREATE INDEX Cache_access_count ON Cache (access_count)",
        "CREATE INDEX Cache_tag_rowid ON Cache(tag, rowid)",
    }
)
TEXTS = frozenset({"eviction_policy", "sqlite_journal_mode"})
NUMBERS = frozenset({*diskcache.DEFAULT_SETTINGS, "count", "size", "hits", "misses"}) - TEXTS


def check_schema(connection: sqlite3.Connection, what: str) -> None:
    """RunDamaged if the database has other tables, indices, triggers or views than diskcache makes."""
    found = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")]
    strange = set(found) - REQUIRED - TOLERATED
    missing = REQUIRED - set(found)
    if strange or missing or found.count(None) != 1:
        raise RunDamaged(f"{what}: the database is not one of this product ({_summary(strange, missing)})")


def check_settings(connection: sqlite3.Connection, what: str) -> None:
    """RunDamaged if a setting is unknown or of another type: diskcache would build PRAGMAs from it."""
    for key, value in connection.execute("SELECT key, value FROM Settings"):
        known = (key in NUMBERS and type(value) is int) or (
            key in TEXTS and str(value).replace("-", "").isalpha()
        )
        if not known:
            raise RunDamaged(f"{what}: the database has the unknown setting {key!r} = {str(value)[:60]!r}")


def _summary(strange: Iterable[object], missing: Iterable[object]) -> str:
    first = next(iter(strange), None)
    return f"found {str(first)[:80]!r}" if first else f"{len(list(missing))} parts are missing"
