"""A copy of a running collector's database in one file, for backup and restore. SQLite only."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import Connection

from collector.store.errors import StoreUnavailable, StoreUnusable
from vonggac.daemon.files import rename_durably


def database_file(url: str) -> Path:
    """The file of an SQLite database. Raises StoreUnusable for any other."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise StoreUnusable(
            f"this collector keeps its database in {parsed.get_backend_name()}. Do: pg_dump --format=custom "
            f"--file=collector.dump {parsed.database}, and only then copy the folders clips and snapshots"
        )
    return Path(parsed.database or "")


def copy_database(source: Path, target: Path) -> None:
    """Copy by SQLite's online backup, as of one moment, while others read and write; checked and synced at the end.

    Raises StoreUnavailable (try again) or StoreUnusable (the source is damaged); `target` is not there then.
    """
    if not source.exists():
        raise StoreUnavailable(f"{source}: there is no database")
    part = target.with_name(f".{target.name}.new")
    _remove(part)
    try:
        with closing(sqlite3.connect(source, timeout=10.0)) as reader, closing(sqlite3.connect(part)) as writer:
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode = DELETE")
            _check_whole(writer)
        part.chmod(0o600)
        _sync(part)
        rename_durably(part, target)
    except sqlite3.DatabaseError as error:
        _remove(part)
        if isinstance(error, sqlite3.OperationalError):
            raise StoreUnavailable(f"{source}: {error}") from error
        raise StoreUnusable(f"{source}: the database is damaged ({error}). Restore an older backup") from error
    except BaseException:
        _remove(part)
        raise


def _check_whole(connection: sqlite3.Connection) -> None:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise sqlite3.DatabaseError(found[0])


@contextmanager
def reading_copy(path: Path) -> Iterator[Connection]:
    """Read a copy that nobody else has open; nothing is written beside it. Raises StoreUnusable."""
    with _opened_copy(path, "ro&immutable=1") as connection:
        yield connection


@contextmanager
def changing_copy(path: Path) -> Iterator[Connection]:
    """Change a copy that nobody else has open; synced at the end. Raises StoreUnusable."""
    with _opened_copy(path, "rw") as connection:
        yield connection
    _sync(path)


@contextmanager
def _opened_copy(path: Path, mode: str) -> Iterator[Connection]:
    address = f"file:{quote(str(path.resolve()))}?mode={mode}"
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DatabaseError as error:
        raise StoreUnusable(f"{path}: is no whole copy of a collector's database ({error.orig})") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(part: Path) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        part.with_name(part.name + ending).unlink(missing_ok=True)
