"""Opening the outbox database: one owner, schema of its version, a corrupt one set aside and never a crash loop."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from edge_agent.outbox.errors import OutboxInUse
from vonggac.daemon.clock import Clock, new_id
from vonggac.daemon.files import make_folder, sync_folder
from vonggac.daemon.logs import get_logger
from vonggac.daemon.sqlite import open_sqlite

log = get_logger(__name__)

DATABASE = "outbox.sqlite"
LOCK = "outbox.lock"
VERSION = 2


def take_lock(folder: Path) -> int:
    """Own the outbox of this data folder until the descriptor is closed. Raises OutboxInUse."""
    make_folder(folder)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OutboxInUse(f"{folder}: another agent uses this outbox. Stop it first") from None
    return descriptor


def open_database(folder: Path, box: str, clock: Clock) -> sqlite3.Connection:
    """Open or make the database; a corrupt one is set aside as `outbox.corrupt-<when>.sqlite`, for `rescue` to read.

    Raises RuntimeError for a database of a newer version or of another box: neither mends itself.
    """
    path = folder / DATABASE
    try:
        return _open_sound(path, box, clock)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and _is_no_corruption(error):
            raise
        reason = str(error)
    aside = _set_aside(path, clock)
    log.error("outbox database is corrupt; set aside, a new one begins", aside=str(aside), reason=reason)
    return _open_sound(path, box, clock)


def _is_no_corruption(error: sqlite3.OperationalError) -> bool:
    """A full disk, a lock or missing rights say nothing about the data."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
    )


def _open_sound(path: Path, box: str, clock: Clock) -> sqlite3.Connection:
    is_new = not path.exists()
    connection = open_sqlite(path, durable=True)
    sound = False
    try:
        _check(connection, path, box, clock)
        sound = True
    finally:
        if not sound:
            connection.close()
    if is_new:
        path.chmod(0o600)
        sync_folder(path.parent)
    return connection


def _check(connection: sqlite3.Connection, path: Path, box: str, clock: Clock) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _create(connection, box, clock)
    elif version > VERSION:
        raise RuntimeError(f"{path}: outbox of version {version}, this agent knows {VERSION}. Install the newer agent")
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    if version == 1:
        _add_open_episodes(connection)
    row = connection.execute("SELECT box FROM outbox").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the outbox row is missing")
    if row["box"] != box:
        raise RuntimeError(f"{path}: outbox of box {row['box']}, not of {box}. Give each box its own data folder")


def _create(connection: sqlite3.Connection, box: str, clock: Clock) -> None:
    # Freed pages of snapshots are given back to the disk when the budget asks; must be set before the first table.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("VACUUM")
    with transaction(connection):
        for statement in _statements(_schema()):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO outbox (only_row, id, box, made_ms) VALUES (1, ?, ?, ?)",
            (new_id(clock), box, clock.wall_ms()),
        )
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_open_episodes(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in _statements(_schema()):
            if "CREATE TABLE open_episode" in statement:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _schema() -> str:
    return files("edge_agent.outbox").joinpath("schema.sql").read_text(encoding="utf-8")


def _statements(script: str) -> Iterator[str]:
    """`executescript` would commit the transaction that makes creation whole or nothing."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _set_aside(path: Path, clock: Clock) -> Path:
    # The newest is the one to be read: a clock that was set back must not make it an older one.
    earlier = (old.stem.rpartition("-")[2] for old in path.parent.glob("outbox.corrupt-*.sqlite"))
    number = max([clock.wall_ms(), *(int(when) + 1 for when in earlier if when.isdecimal())])
    aside = path.with_name(f"outbox.corrupt-{number:013}.sqlite")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    return aside


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, on disk when it returns. The caller holds the connection's lock."""
    connection.execute("BEGIN IMMEDIATE")
    done = False
    try:
        yield
        connection.execute("COMMIT")
        done = True
    finally:
        if not done and connection.in_transaction:
            connection.execute("ROLLBACK")
