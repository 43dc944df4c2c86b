"""Checks every invariant of the outbox on real data; repairs only what is provably safe.

1. The database is sound. 2. last_seq = receipted + waiting events, and no number is above last_seq. 3. Every event
decodes and says its own number, outbox and type. 4. Every snapshot is at most 40 KB and (deep) its SHA-256. 5. Every
clip's file stands with its size and (deep) its SHA-256. 6. No file stands without a row. 7. No deletion is half done.
8. Every open episode can be ended, and has not been. Without `repair` nothing is written and the agent may run: what
seems wrong then is looked at again, for a clip may be on its way. With it the agent must be stopped.
"""

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.database import DATABASE, VERSION, take_lock, transaction
from edge_agent.outbox.envelopes import make_envelope
from edge_agent.outbox.errors import OutboxInUse
from vonggac.daemon.clock import Clock, SystemClock
from vonggac.daemon.files import sync_folder
from vonggac.daemon.sqlite import apply_pragmas
from vonggac.wire.codec import MAX_SNAPSHOT_BYTES, decode, encode
from vonggac.wire.errors import MalformedMessage
from vonggac.wire.messages import DataLost, EpisodeEnded

CLIPS = "clips"
CLIP_SUFFIX = ".mp4"


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant: its number, what, where, what a person should do; `repaired` when nothing is left to do.

    A note breaks nothing; it is what whoever looks here should know.
    """

    invariant: int
    what: str
    where: str
    advice: str
    repaired: bool = False
    note: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a promise is still broken."""
        return not self.repaired and not self.note


def check_outbox(
    folder: Path, *, deep: bool = False, repair: bool = False, clock: Clock | None = None, look_again_s: float = 1.0
) -> list[Finding]:
    """Check the outbox of a data folder. Raises OutboxInUse when `repair` meets a running agent.

    `deep` also reads every clip and snapshot and compares its hash. All is well when no finding `is_open`.
    """
    path = folder / DATABASE
    if not path.is_file():
        return [Finding(1, "there is no outbox database", str(path), "start the agent once; it makes one")]
    runs = not repair and _agent_runs(folder)
    owner = take_lock(folder) if repair else None
    try:
        findings = _check(folder, path, deep=deep, repair=repair, clock=clock or SystemClock())
        if runs and findings:
            time.sleep(look_again_s)
            again = _check(folder, path, deep=deep, repair=False, clock=clock or SystemClock())
            findings = [finding for finding in findings if finding in again]
        return findings + list(_notes(folder, runs=runs))
    except sqlite3.DatabaseError as error:
        advice = "start the agent: it sets the database aside and moves what can be read"
        return [Finding(1, f"the database cannot be read: {error}", str(path), advice)]
    finally:
        if owner is not None:
            os.close(owner)


def _agent_runs(folder: Path) -> bool:
    try:
        os.close(take_lock(folder))
    except OutboxInUse:
        return True
    return False


def _check(folder: Path, path: Path, *, deep: bool, repair: bool, clock: Clock) -> list[Finding]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        if repair:
            apply_pragmas(connection)
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")  # one picture of everything, though the agent writes on
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            return [Finding(1, f"schema version {version}, this program knows {VERSION}", str(path), "update it")]
        findings = list(_database(connection, path))
        if findings:
            return findings
        findings += _numbers(connection, repair=repair)
        findings += _events(connection)
        findings += _snapshots(connection, deep=deep)
        findings += _clips(connection, folder, deep=deep, repair=repair, clock=clock)
        findings += _strays(connection, folder)
        findings += _open_episodes(connection, repair=repair)
        return findings
    finally:
        connection.close()


def _database(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    advice = "start the agent: it sets the database aside and moves what can be read"
    for row in connection.execute("PRAGMA integrity_check(20)"):
        if row[0] != "ok":
            yield Finding(1, str(row[0]), str(path), advice)
    if connection.execute("SELECT count(*) FROM outbox").fetchone()[0] != 1:
        yield Finding(1, "the outbox row is missing", str(path), advice)


def _numbers(connection: sqlite3.Connection, *, repair: bool) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT last_seq, receipted, (SELECT count(*) FROM event) AS waiting, "
        "max((SELECT coalesce(max(seq), 0) FROM event), (SELECT coalesce(max(seq), 0) FROM clip)) AS newest FROM outbox"
    ).fetchone()
    if row["newest"] > row["last_seq"]:
        if repair:
            # Raising the counter cannot make a number repeat; leaving it would.
            with transaction(connection):
                connection.execute("UPDATE outbox SET last_seq = ?", (row["newest"],))
        yield Finding(
            2,
            f"number {row['newest']} was used, the counter stands at {row['last_seq']}",
            "outbox",
            "run with --repair",
            repaired=repair,
        )
    elif row["last_seq"] != row["receipted"] + row["waiting"]:
        missing = row["last_seq"] - row["receipted"] - row["waiting"]
        advice = "events left without a receipt: compare with the collector's holes"
        yield Finding(2, f"{missing} events are neither waiting nor receipted", "outbox", advice)


def _events(connection: sqlite3.Connection) -> Iterator[Finding]:
    outbox, box = connection.execute("SELECT id, box FROM outbox").fetchone()
    advice = "the collector will keep it aside; tell the developers"
    for row in connection.execute("SELECT seq, type, message FROM event ORDER BY seq"):
        where = f"event {row['seq']}"
        try:
            envelope = decode(row["message"])
        except MalformedMessage as error:
            yield Finding(3, f"does not decode: {error}", where, advice)
            continue
        said = (envelope.seq, envelope.outbox, envelope.box, envelope.body.type)
        if said != (row["seq"], outbox, box, row["type"]):
            yield Finding(3, f"says number, outbox, box and type {said}", where, advice)


def _snapshots(connection: sqlite3.Connection, *, deep: bool) -> Iterator[Finding]:
    columns = "number, sha256, length(jpeg) AS size_bytes" + (", jpeg" if deep else "")
    advice = "it will be refused and parked; nothing else depends on it"
    for row in connection.execute(f"SELECT {columns} FROM snapshot ORDER BY number"):  # noqa: S608
        where = f"snapshot {row['number']}"
        if not 0 < row["size_bytes"] <= MAX_SNAPSHOT_BYTES:
            yield Finding(4, f"has {row['size_bytes']} bytes", where, advice)
        elif deep and hashlib.sha256(row["jpeg"]).hexdigest() != row["sha256"]:
            yield Finding(4, "its bytes are not its SHA-256", where, advice)


def _clips(
    connection: sqlite3.Connection, folder: Path, *, deep: bool, repair: bool, clock: Clock
) -> Iterator[Finding]:
    for row in connection.execute("SELECT * FROM clip ORDER BY seq").fetchall():
        path = folder / row["file"]
        if row["state"] == "going":
            if repair:
                path.unlink(missing_ok=True)
                if path.parent.is_dir():
                    sync_folder(path.parent)
                with transaction(connection):
                    connection.execute("DELETE FROM clip WHERE clip = ?", (row["clip"],))
            yield Finding(7, "its deletion is half done", row["file"], "run with --repair, or start the agent", repair)
        elif not path.is_file():
            if repair:
                _tell_lost(connection, row, clock)
            yield Finding(5, "the file is gone", row["file"], "run with --repair: the loss is told", repair)
        elif path.stat().st_size != row["size_bytes"]:
            what = f"has {path.stat().st_size} bytes, its row says {row['size_bytes']}"
            yield Finding(5, what, row["file"], "keep the file: the collector will refuse it and it will be parked")
        elif deep and _sha256_of(path) != row["sha256"]:
            yield Finding(5, "its bytes are not its SHA-256", row["file"], "the disk damages data: replace it")


def _tell_lost(connection: sqlite3.Connection, row: sqlite3.Row, clock: Clock) -> None:
    """Take the row out; a clip that was not delivered leaves a `data_lost` event, in the same transaction."""
    with transaction(connection):
        if row["state"] != "delivered":
            connection.execute("UPDATE outbox SET last_seq = last_seq + 1")
            outbox, box, seq = connection.execute("SELECT id, box, last_seq FROM outbox").fetchone()
            loss = DataLost(
                what="clip",
                reason="file is gone from the box",
                camera=row["camera"],
                episode=row["episode"],
                clip=row["clip"],
                size_bytes=row["size_bytes"],
            )
            envelope = make_envelope(loss, box, clock, seq, outbox)
            connection.execute(
                "INSERT INTO event (seq, made_ms, type, message) VALUES (?, ?, ?, ?)",
                (seq, envelope.wall_ms, loss.type, encode(envelope)),
            )
        connection.execute("DELETE FROM clip WHERE clip = ?", (row["clip"],))


def _strays(connection: sqlite3.Connection, folder: Path) -> Iterator[Finding]:
    known = {row["file"] for row in connection.execute("SELECT file FROM clip")}
    for path in sorted((folder / CLIPS).glob(f"**/*{CLIP_SUFFIX}")):
        file = path.relative_to(folder).as_posix()
        if file not in known and path.is_file():
            yield Finding(6, "a clip file without a row", file, "start the agent: salvage takes it in")


def _open_episodes(connection: sqlite3.Connection, *, repair: bool) -> Iterator[Finding]:
    ended = set()
    for row in connection.execute("SELECT message FROM event WHERE type = ?", (EpisodeEnded.type,)):
        with contextlib.suppress(MalformedMessage):  # invariant 3 tells of it
            ended.add(getattr(decode(row["message"]).body, "episode", None))
    for row in connection.execute("SELECT episode, started, updated FROM open_episode").fetchall():
        where = f"episode {row['episode']}"
        if row["episode"] in ended:
            if repair:
                with transaction(connection):
                    connection.execute("DELETE FROM open_episode WHERE episode = ?", (row["episode"],))
            yield Finding(8, "it has ended, and is noted as open", where, "run with --repair", repair)
            continue
        try:
            bodies = [decode(row["started"]).body] + ([decode(row["updated"]).body] if row["updated"] else [])
            said = [(body.type, getattr(body, "episode", None)) for body in bodies]
        except MalformedMessage as error:
            yield Finding(8, f"its begin cannot be read: {error}", where, "it stays open at the collector")
            continue
        if said != [("episode_started", row["episode"]), ("episode_updated", row["episode"])][: len(said)]:
            yield Finding(8, f"its begin says {said}", where, "tell the developers")


def _notes(folder: Path, *, runs: bool) -> Iterator[Finding]:
    """What is as promised and yet worth knowing."""
    for path in sorted((folder / CLIPS).glob("*")):
        file = path.relative_to(folder).as_posix()
        if path.name.endswith(".part") and not runs:
            yield Finding(6, "a clip that was cut off", file, "start the agent: salvage takes it in", note=True)
        elif path.name.endswith(".broken"):
            yield Finding(6, "a damaged clip, told as lost", file, "look at it, or delete it", note=True)
    for path in sorted(folder.glob("outbox.corrupt-*.sqlite")):
        yield Finding(1, "a corrupt database that was read into this one", path.name, "delete it some day", note=True)
    if not (folder / "outbox.reserve").exists():
        advice = "free space on the disk; the agent puts it back"
        yield Finding(1, "the reserve for a full disk is in use", "outbox.reserve", advice, note=True)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
