"""Moving what a corrupt database still tells into a new outbox: same messages, new numbers, the loss told."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge_agent.outbox.database import transaction
from edge_agent.outbox.envelopes import make_envelope
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.wire.codec import decode, encode
from vonggac.wire.errors import MalformedMessage
from vonggac.wire.messages import DataLost

log = get_logger(__name__)


_KEPT = 2


def find_aside(connection: sqlite3.Connection, folder: Path) -> Path | None:
    """The newest database that was set aside and not yet read: a crash may have come between the two."""
    newest = max(folder.glob("outbox.corrupt-*.sqlite"), default=None)
    if newest is None or connection.execute("SELECT rescued FROM outbox").fetchone()["rescued"] == newest.name:
        return None
    return newest


def rescue(aside: Path, connection: sqlite3.Connection, folder: Path, box: str, clock: Clock) -> None:
    """Copy events (under their old message ids), snapshots and clips whose files stand; end with a `data_lost` event.

    The old file stays aside for a person to look at. Numbers begin anew because nobody knows which were given.
    """
    moved = {"event": 0, "snapshot": 0, "clip": 0}
    number_of: dict[int, int] = {}
    with transaction(connection):
        outbox = connection.execute("SELECT id FROM outbox").fetchone()["id"]
        for row in _readable(aside, "SELECT seq, made_ms, type, message FROM event ORDER BY seq"):
            try:
                envelope = decode(bytes(row["message"]))
            except (MalformedMessage, TypeError):
                continue
            seq = _next_seq(connection)
            number_of[row["seq"]] = seq
            message = encode(dataclasses.replace(envelope, seq=seq, outbox=outbox))
            connection.execute(
                "INSERT INTO event (seq, made_ms, type, message) VALUES (?, ?, ?, ?)",
                (seq, envelope.wall_ms, envelope.body.type, message),
            )
            moved["event"] += 1
        for row in _readable(aside, "SELECT sha256, episode, seq, made_ms, jpeg FROM snapshot ORDER BY number"):
            connection.execute(
                "INSERT INTO snapshot (sha256, episode, seq, made_ms, jpeg) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (row["sha256"], row["episode"], number_of.get(row["seq"], 0), row["made_ms"], row["jpeg"]),
            )
            moved["snapshot"] += 1
        for row in _readable(aside, "SELECT * FROM clip ORDER BY seq"):
            path = folder / str(row["file"])
            if row["state"] == "going" or not path.is_file() or path.stat().st_size != row["size_bytes"]:
                continue
            columns = list(row.keys())
            values = [number_of.get(row["seq"], 0) if column == "seq" else row[column] for column in columns]
            marks = ",".join("?" * len(columns))
            connection.execute(
                f"INSERT INTO clip ({','.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
                values,
            )
            moved["clip"] += 1
        for row in _readable(aside, "SELECT episode, started, updated FROM open_episode"):
            connection.execute("INSERT INTO open_episode VALUES (?, ?, ?) ON CONFLICT DO NOTHING", tuple(row))
        connection.execute("UPDATE outbox SET rescued = ?", (aside.name,))
        loss = DataLost(what="event", reason=f"outbox database was corrupt; {moved['event']} events were read from it")
        seq = _next_seq(connection)
        envelope = make_envelope(loss, box, clock, seq, outbox)
        connection.execute(
            "INSERT INTO event (seq, made_ms, type, message) VALUES (?, ?, ?, ?)",
            (seq, envelope.wall_ms, loss.type, encode(envelope)),
        )
    log.warning(
        "corrupt outbox database read as far as it goes",
        aside=str(aside),
        events=moved["event"],
        snapshots=moved["snapshot"],
        clips=moved["clip"],
    )
    _keep_newest(folder)


def _keep_newest(folder: Path) -> None:
    """A card that corrupts again and again must not fill up with what it corrupted."""
    for old in sorted(folder.glob("outbox.corrupt-*.sqlite"))[:-_KEPT]:
        for suffix in ("", "-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)


def _next_seq(connection: sqlite3.Connection) -> int:
    connection.execute("UPDATE outbox SET last_seq = last_seq + 1")
    return int(connection.execute("SELECT last_seq FROM outbox").fetchone()["last_seq"])


def _readable(aside: Path, query: str) -> Iterator[sqlite3.Row]:
    """Rows until the corruption; none when not even that can be read."""
    try:
        connection = sqlite3.connect(f"file:{aside}?mode=ro", uri=True)
    except sqlite3.Error:
        return
    connection.row_factory = sqlite3.Row
    try:
        yield from connection.execute(query)
    except sqlite3.Error as error:
        log.warning("corrupt outbox database: the rest of a table is unreadable", reason=str(error))
    finally:
        connection.close()
