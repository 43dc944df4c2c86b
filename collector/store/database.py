"""Opening the database, and the two ways in: many readers, one writer at a time.

SQLite runs in WAL with `synchronous=FULL`: when `write()` returns, the transaction is on the disk. PostgreSQL keeps the
same promises: `synchronous_commit` is on whatever the server's default, and an advisory lock lets one transaction write
at a time, over all processes. A locked, full or absent database raises StoreUnavailable and nothing is stored.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from collector.store.errors import Conflict, StoreUnavailable, StoreUnusable
from vonggac.daemon.sqlite import apply_pragmas

__all__ = ["Connection", "Database", "insert_ignoring", "one_of_many", "open_database", "sqlite_url", "upsert"]

HEAD = "0017"
"""The newest migration; a test holds it to collector/store/migrations."""
READING, WRITING = "BEGIN", "BEGIN IMMEDIATE"
TURN_S = 10.0
"""So long may another process write before the database counts as locked."""
LOOK_AGAIN_MS = 8
PAGES_KIB = 8192
"""Of each connection's own cache of SQLite's pages."""
CHECKPOINT_PAGES = 4000
"""16 MiB of log: an index's page that many events touch is then written into the file once for all of them."""
WRITER_LOCK = 0x564F4E47
"""PostgreSQL's advisory lock of whoever writes: "VONG"."""


class Database:
    """One database. Connections are pooled; this process writes from one thread at a time."""

    def __init__(self, readers: sa.Engine, writer: sa.Engine) -> None:
        self._readers = readers
        self._writer = writer
        self._write_lock = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot to read from. Raises StoreUnavailable."""
        with _plainly(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, all or nothing, durable when the block has been left. Raises StoreUnavailable."""
        with _plainly(), self._write_lock, self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self._readers.dispose()
        self._writer.dispose()


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(str(error.orig)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(str(error.orig)) from error
        if isinstance(error.orig, sqlite3.DatabaseError) and "malformed" in str(error.orig):
            raise StoreUnusable(f"the database is damaged ({error.orig}). Restore a backup") from error
        raise


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return f"sqlite:///{path}"


def open_database(url: str) -> Database:
    """Open, make or bring up to date. Raises StoreUnusable for a database of a newer version."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _ready(_on_postgresql(parsed), parsed, None)
    path = Path(parsed.database or "")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreUnusable("a database in memory is none: give a file, sqlite:////var/lib/vonggac/collector.sqlite")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    readers = _sqlite_engine(parsed, READING, pool_size=8)
    writer = _sqlite_engine(parsed, WRITING, pool_size=1)
    return _ready(Database(readers, writer), parsed, path)


def _on_postgresql(url: sa.URL) -> Database:
    options = {"options": "-c synchronous_commit=on -c timezone=UTC", "connect_timeout": 5}
    readers = sa.create_engine(
        url, pool_pre_ping=True, connect_args=options, isolation_level="REPEATABLE READ", pool_size=8, max_overflow=24
    )
    writer = sa.create_engine(url, pool_pre_ping=True, connect_args=options, pool_size=1, max_overflow=0)

    @sa.event.listens_for(writer, "begin")
    def wait_for_other_writers(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return Database(readers, writer)


def _sqlite_engine(url: sa.URL, begin: str, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=pool_size, max_overflow=24 if pool_size > 1 else 0)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own habit breaks savepoints
        apply_pragmas(connection, durable=True)
        connection.execute(f"PRAGMA cache_size = -{PAGES_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @sa.event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        if begin == WRITING:
            _take_turn(connection)
        else:
            connection.exec_driver_sql(begin)

    return engine


def _take_turn(connection: Connection) -> None:
    """Begin to write as soon as no other process does.

    SQLite itself looks every tenth of a second in the end, and can miss every pause of a process that writes often.
    """
    until_s = time.monotonic() + TURN_S
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {LOOK_AGAIN_MS}")
    while True:
        try:
            connection.exec_driver_sql(WRITING)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
        else:
            return


def _ready(database: Database, url: sa.URL, path: Path | None) -> Database:
    version = _version(database)
    if version == HEAD:
        return database
    if path is None:
        _migrate(url)
    else:
        with open(f"{path}.migrate.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _version(database) != HEAD:
                _migrate(url)
    return database


def _version(database: Database) -> str | None:
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return version


def _migrate(url: sa.URL) -> None:
    from alembic import command  # noqa: PLC0415 - half a second that only an old database pays
    from alembic.util import CommandError  # noqa: PLC0415

    from collector.store.migrations import alembic_config  # noqa: PLC0415

    try:
        command.upgrade(alembic_config(url.render_as_string(hide_password=False)), "head")
    except CommandError as error:
        raise StoreUnusable(
            f"the database {url.database} is of a version that this collector does not know ({error}). "
            "Install the newer collector again"
        ) from None
    except OperationalError as error:
        raise StoreUnavailable(str(error.orig)) from error


@contextmanager
def one_of_many(connection: Connection) -> Iterator[None]:
    """A part of a transaction that can fail alone. Raises Conflict when the database refuses what it was given."""
    try:
        with connection.begin_nested():
            yield
    except (IntegrityError, DataError) as error:
        raise Conflict(f"the database refused it: {error.orig}") from error
    except (OverflowError, UnicodeError) as error:  # SQLite's driver, of a number or text that it cannot hand on
        raise Conflict(f"the database cannot hold it: {error}") from error


def insert_ignoring(connection: Connection, table: sa.Table, **values: Any) -> bool:
    """Insert unless a row with the same key is there; True when it was inserted."""
    statement: Any
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(table).values(**values).on_conflict_do_nothing()
    else:
        statement = postgresql.insert(table).values(**values).on_conflict_do_nothing()
    # Without the option psycopg answers -1 where a key is generated: every repetition would count as new.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def upsert(connection: Connection, table: sa.Table, **values: Any) -> None:
    """Insert, or replace the columns of the row with the same primary key."""
    key = [column.name for column in table.primary_key]
    rest = {name: value for name, value in values.items() if name not in key}
    statement: Any
    if connection.dialect.name == "sqlite":
        statement = sqlite.insert(table).values(**values).on_conflict_do_update(index_elements=key, set_=rest)
    else:
        statement = postgresql.insert(table).values(**values).on_conflict_do_update(index_elements=key, set_=rest)
    connection.execute(statement)
