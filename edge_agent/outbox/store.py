"""The outbox's one connection: its lock, its transactions, the numbering of events, and what a full disk means."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox import open_episodes
from edge_agent.outbox.database import open_database, take_lock, transaction
from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.items import ParkedItem
from edge_agent.outbox.rescue import find_aside, rescue
from edge_agent.outbox.reserve import Reserve
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.logs import get_logger
from vonggac.wire.codec import decode, encode
from vonggac.wire.messages import Body, Envelope, OutboxHealth, Refused

log = get_logger(__name__)

T = TypeVar("T")

MAX_RANGES = 32
"""Of waiting numbers in a heartbeat: what waits is one range, or a few after a link that lost some."""
_REFUSED_TOLD = 8
_REASON_CHARS = 160


class Store:
    """Opened and owned by one Outbox; errors as there."""

    def __init__(self, folder: Path, clock: Clock, box: str) -> None:
        self._folder = folder
        self._clock = clock
        self._box = box
        self.lock = threading.RLock()
        self._owner = take_lock(folder)
        opened = False
        try:
            self.reserve = Reserve(folder)
            self.connection = self._open()
            self.id: str = self.connection.execute("SELECT id FROM outbox").fetchone()["id"]
            opened = True
        finally:
            if not opened:
                os.close(self._owner)

    def _open(self) -> sqlite3.Connection:
        """The database with all that an earlier one still tells; on a full disk by the reserve's space."""
        try:
            return self._open_and_rescue()
        except sqlite3.OperationalError as error:
            if not _is_full(error) or not self.reserve.use():
                raise
        log.warning("disk is full: the outbox opens by its reserve", folder=str(self._folder))
        return self._open_and_rescue()

    def _open_and_rescue(self) -> sqlite3.Connection:
        connection = open_database(self._folder, self._box, self._clock)
        done = False
        try:
            aside = find_aside(connection, self._folder)
            if aside is not None:
                rescue(aside, connection, self._folder, self._box, self._clock)
            done = True
        finally:
            if not done:
                connection.close()
        return connection

    def close(self) -> None:
        """Let go of the database and of the folder."""
        with self.lock:
            self.connection.close()
            os.close(self._owner)

    def read(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self.lock:
            return self.connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction. Raises OutboxFull when the disk takes no more."""
        with self.lock:
            try:
                with transaction(self.connection):
                    yield self.connection
            except sqlite3.OperationalError as error:
                if not _is_full(error):
                    raise
                raise OutboxFull(f"{self._folder}: the disk takes no more ({error}). Free space on it") from error

    def durably(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one transaction; on a full disk once more with the reserve's space. Raises OutboxFull."""
        try:
            return self._once(work)
        except OutboxFull:
            if not self.reserve.use():
                raise
        log.warning("disk is full: the outbox uses its reserve", folder=str(self._folder))
        return self._once(work)

    def _once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self.writing() as connection:
            done = work(connection)
            reach("outbox.put.written")
        reach("outbox.put.committed")
        return done

    def last_seq(self) -> int:
        """The newest number given."""
        return int(self.read("SELECT last_seq FROM outbox")[0]["last_seq"])

    def insert_event(self, body: Body) -> Envelope:
        """Number and keep one event; within a transaction. Raises ValueError for what no reader of the wire takes."""
        if not body.sequenced:
            raise ValueError(f"{body.type} carries no number: it is published directly, never kept")
        self.connection.execute("UPDATE outbox SET last_seq = last_seq + 1")
        envelope = make_envelope(body, self._box, self._clock, self.last_seq(), self.id)
        message = encode(envelope)
        decode(message)  # one message that the far side cannot read would wait here for ever
        self.connection.execute(
            "INSERT INTO event (seq, made_ms, type, message) VALUES (?, ?, ?, ?)",
            (envelope.seq, envelope.wall_ms, body.type, message),
        )
        open_episodes.follow(self.connection, body, message)
        return envelope


def _is_full(error: sqlite3.OperationalError) -> bool:
    """SQLite says FULL, or an error of input and output where the file system would not let a file grow."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


_STATS = """
    SELECT
        (SELECT id FROM outbox) AS id,
        (SELECT last_seq FROM outbox) AS last_seq,
        (SELECT count(*) FROM event) AS events,
        (SELECT count(*) FROM snapshot) AS snapshots,
        (SELECT count(*) FROM clip WHERE state IN ('waiting', 'parked')) AS clips,
        (SELECT coalesce(sum(size_bytes), 0) FROM clip WHERE state IN ('waiting', 'parked')) AS clip_bytes,
        (SELECT min(made_ms) FROM (
            SELECT min(made_ms) AS made_ms FROM event
            UNION ALL SELECT min(made_ms) FROM snapshot
            UNION ALL SELECT min(made_ms) FROM clip WHERE state IN ('waiting', 'parked'))) AS oldest_ms,
        (SELECT count(*) FROM event WHERE parked_reason IS NOT NULL)
            + (SELECT count(*) FROM snapshot WHERE parked_reason IS NOT NULL)
            + (SELECT count(*) FROM clip WHERE state = 'parked') AS parked
"""


def stats_of(connection: sqlite3.Connection) -> OutboxHealth:
    """What waits in an outbox's database; needs rows by name (sqlite3.Row)."""
    row = connection.execute(_STATS).fetchone()
    return OutboxHealth(
        outbox=row["id"],
        last_seq=row["last_seq"],
        events=row["events"],
        snapshots=row["snapshots"],
        clips=row["clips"],
        clip_bytes=row["clip_bytes"],
        oldest_ms=row["oldest_ms"],
        parked=row["parked"],
        waiting=_waiting(connection),
        refused=_refused(connection) if row["parked"] else (),
    )


def _refused(connection: sqlite3.Connection) -> tuple[Refused, ...]:
    return tuple(
        Refused(kind=item.kind, key=item.key, reason=item.reason[:_REASON_CHARS], size_bytes=item.size_bytes)
        for item in parked_in(connection)[:_REFUSED_TOLD]
    )


_RANGES = """
    SELECT min(seq) AS first, max(seq) AS last
    FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM event)
    GROUP BY island ORDER BY first
"""


def _waiting(connection: sqlite3.Connection) -> tuple[tuple[int, int], ...]:
    ranges = [(row["first"], row["last"]) for row in connection.execute(_RANGES)]
    told, rest = ranges[: MAX_RANGES - 1], ranges[MAX_RANGES - 1 :]
    return (*told, *([(rest[0][0], rest[-1][1])] if rest else []))


_PARKED = """
    SELECT 'event' AS kind, CAST(seq AS TEXT) AS key, parked_reason, length(message) AS size_bytes FROM event
    WHERE parked_reason IS NOT NULL
    UNION ALL SELECT 'snapshot', sha256, parked_reason, length(jpeg) FROM snapshot WHERE parked_reason IS NOT NULL
    UNION ALL SELECT 'clip', clip, parked_reason, size_bytes FROM clip WHERE state = 'parked'
"""


def parked_in(connection: sqlite3.Connection) -> list[ParkedItem]:
    """Everything in an outbox's database that the server refused."""
    return [ParkedItem(*row) for row in connection.execute(_PARKED)]
