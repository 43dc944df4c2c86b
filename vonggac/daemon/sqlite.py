"""Opening SQLite so that what was committed is on the disk: WAL, and `synchronous=FULL` where that matters."""

import sqlite3
from pathlib import Path


def apply_pragmas(connection: sqlite3.Connection, *, durable: bool = True) -> None:
    """WAL (readers never block the writer); FULL syncs the log at every commit, NORMAL only at checkpoints."""
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 16777216")


def open_sqlite(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    """Open or make a database; the caller guards it with a lock. Transactions are explicit (`BEGIN IMMEDIATE`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    apply_pragmas(connection, durable=durable)
    connection.row_factory = sqlite3.Row
    return connection
