"""The databases of the tests: SQLite, or a real PostgreSQL when VONGGAC_TEST_DATABASE=postgresql.

Migrations take a while: they run once, and every database begins as a copy of what they led to.
"""

import contextlib
import functools
import os
import sqlite3
import tempfile
from pathlib import Path

import pytest

from collector.store.database import Database, open_database, sqlite_url
from tests.support.postgres import shared_server

ON_POSTGRESQL = os.environ.get("VONGGAC_TEST_DATABASE") == "postgresql"
sqlite_only = pytest.mark.skipif(ON_POSTGRESQL, reason="looks into SQLite's own file")


def fresh_database(folder: Path) -> Database:
    """An empty database of this folder's own."""
    return open_database(fresh_url(folder))


def fresh_url(folder: Path, copy_of: str | None = None) -> str:
    """The URL of an empty database, or of a copy of another one, which nobody may have open."""
    if ON_POSTGRESQL:
        return shared_server().database(copy_of or _empty_on_postgresql())
    file = folder / "collector.sqlite"
    file.write_bytes(Path(copy_of.removeprefix("sqlite:///")).read_bytes() if copy_of else _empty_sqlite())
    return sqlite_url(file)


@functools.cache
def _empty_sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        open_database(sqlite_url(path)).close()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


@functools.cache
def _empty_on_postgresql() -> str:
    url = shared_server().database()
    open_database(url).close()
    return url
