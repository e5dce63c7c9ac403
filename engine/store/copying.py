"""A consistent copy of a run's database while its writer goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path

from prunescope.engine.store.errors import StoreError


def copy_database(folder: Path, target: Path) -> set[str]:
    """Copy ``<folder>/store/cache.db`` to a new file; return the value files that it names, relative to ``store``.

    SQLite's own backup: whole and as of one commit. Value files are written before the commit that names
    them and never change, so that copying them afterwards completes the run.

    Raises
    ------
    StoreError
        If the database cannot be read.
    """
    address = f"{(folder / 'store' / 'cache.db').resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            rows = copy.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{folder.name}: its database cannot be copied ({error})") from None
    return {str(name) for (name,) in rows}
