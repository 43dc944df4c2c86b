"""The durable queue: numbers events, keeps what waits, and lets go on receipts alone.

Thread-safe: one connection, one lock. What a `put_*` returned survives a power cut. Waiting events and snapshots are
rows; a clip is a file beneath the data folder and a row.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from edge_agent.outbox import open_episodes
from edge_agent.outbox.items import (
    ClipClass,
    ItemKind,
    KeptClip,
    NewSnapshot,
    ParkedItem,
    WaitingClip,
    WaitingEvent,
    WaitingSnapshot,
)
from edge_agent.outbox.store import Store, parked_in, stats_of
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import sync_folder
from vonggac.daemon.logs import get_logger
from vonggac.wire.codec import MAX_SNAPSHOT_BYTES
from vonggac.wire.messages import Body, ClipReady, DataLost, Envelope, OutboxHealth, Receipt

log = get_logger(__name__)


class Outbox:
    """The outbox of one box, in its data folder.

    Raises OutboxInUse when another process has it, RuntimeError for a database of another box or a newer version. A
    corrupt database is set aside; what it still tells is moved into a new one. Every method that writes raises
    OutboxFull, with nothing changed, when the disk takes no more; putting in and making room use the reserve first.
    """

    def __init__(self, folder: Path, clock: Clock, box: str) -> None:
        self.folder = folder
        self.refused_receipts = 0
        self._clock = clock
        self._listeners: list[Callable[[], None]] = []
        self._store = Store(folder, clock, box)
        self._finish_deletions()
        self._store.reserve.restore()

    @property
    def id(self) -> str:
        """The id of this database: numbers are unique only within it."""
        return self._store.id

    def close(self) -> None:
        """Let go of the database and of the folder."""
        self._store.close()

    def listen(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, from whichever thread, after something new waits or a parked item is tried again."""
        self._listeners.append(callback)

    # --- putting in ----------------------------------------------------------------------------------------------

    def put_event(self, body: Body, *snapshots: NewSnapshot) -> Envelope:
        """Number and keep one event (and the snapshots it names); see `put_events`."""
        return self.put_events([body], snapshots)[0]

    def put_events(self, bodies: Sequence[Body], snapshots: Sequence[NewSnapshot] = ()) -> list[Envelope]:
        """Number and keep events with their snapshots: all or none, one sync.

        Raises ValueError for a body that has no number on the wire or is longer than the wire takes, and for a
        snapshot that is no JPEG of at most 40 KB: nothing that cannot go out may enter.
        """

        def put(connection: sqlite3.Connection) -> list[Envelope]:
            envelopes = [self._store.insert_event(body) for body in bodies]
            last = envelopes[-1].seq if envelopes else self._store.last_seq()
            for snapshot in snapshots:
                sha256 = _sha256_of(snapshot)
                named = (e.seq for e in envelopes if getattr(e.body, "snapshot_sha256", None) == sha256)
                connection.execute(
                    "INSERT INTO snapshot (sha256, episode, seq, made_ms, jpeg) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT DO NOTHING",
                    (sha256, snapshot.episode, next(named, last) or 0, self._clock.wall_ms(), snapshot.jpeg),
                )
            return envelopes

        envelopes = self._store.durably(put)
        self._tell()
        return envelopes

    def put_clip(self, body: ClipReady, path: Path, clip_class: ClipClass = ClipClass.NORMAL) -> Envelope:
        """Take over a clip file that is whole and synced: its row and its event in one transaction.

        Raises ValueError when the file is not beneath the data folder, not of the told size, or known already.
        """
        file = self._relative(path)
        size_bytes = path.stat().st_size
        if size_bytes != body.size_bytes:
            raise ValueError(f"{path} has {size_bytes} bytes, its clip_ready says {body.size_bytes}")

        def put(connection: sqlite3.Connection) -> Envelope:
            if connection.execute("SELECT 1 FROM clip WHERE clip = ? OR file = ?", (body.clip, file)).fetchone():
                raise ValueError(f"clip {body.clip} ({file}) is in the outbox already")
            envelope = self._store.insert_event(body)
            connection.execute(
                "INSERT INTO clip (clip, episode, camera, sha256, size_bytes, seq, made_ms, class, file, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                (
                    *(body.clip, body.episode, body.camera, body.sha256, body.size_bytes),
                    *(envelope.seq, envelope.wall_ms, int(clip_class), file),
                ),
            )
            return envelope

        envelope = self._store.durably(put)
        self._tell()
        return envelope

    def ends_of_cut_episodes(self) -> list[Body]:
        """What ends the episodes that the last run left open, to be put like any event: ask before new ones begin."""
        with self._store.lock:
            return open_episodes.ends(self._store.connection, self._clock.wall_ms())

    def knows_file(self, path: Path) -> bool:
        """True when a row stands for this clip file, in whatever state: salvage must leave it alone."""
        return bool(self._store.read("SELECT 1 FROM clip WHERE file = ?", self._relative(path)))

    def files_without_row(self, clips: Path, suffix: str = ".mp4") -> list[Path]:
        """Clip files that were renamed into place but not taken over before a crash; oldest name first."""
        return [path for path in sorted(clips.glob(f"*{suffix}")) if not self.knows_file(path)]

    # --- draining ------------------------------------------------------------------------------------------------

    def last_seq(self) -> int:
        """The newest number given; 0 when none ever was."""
        return self._store.last_seq()

    def next_events(self, limit: int, after: int = 0, until: int | None = None) -> list[WaitingEvent]:
        """Waiting events in order, numbers in (`after`, `until`]."""
        rows = self._store.read(
            "SELECT seq, message FROM event WHERE seq > ? AND seq <= ? AND parked_reason IS NULL ORDER BY seq LIMIT ?",
            *(after, _MAX_INT if until is None else until, limit),
        )
        return [WaitingEvent(row["seq"], row["message"]) for row in rows]

    def event(self, seq: int) -> WaitingEvent | None:
        """One waiting event; None when its receipt has come or it is parked."""
        found = self.next_events(1, seq - 1, seq)
        return found[0] if found else None

    def last_snapshot(self) -> int:
        """The newest snapshot's `number` among those waiting; 0 when none waits."""
        return int(self._store.read("SELECT coalesce(max(number), 0) AS newest FROM snapshot")[0]["newest"])

    def next_snapshots(self, limit: int, after: int = 0, until: int | None = None) -> list[WaitingSnapshot]:
        """Waiting snapshots in order, `number` in (`after`, `until`]."""
        rows = self._store.read(
            "SELECT number, sha256, episode, seq, jpeg FROM snapshot "
            "WHERE number > ? AND number <= ? AND parked_reason IS NULL ORDER BY number LIMIT ?",
            *(after, _MAX_INT if until is None else until, limit),
        )
        return [WaitingSnapshot(row["number"], row["sha256"], row["episode"], row["seq"], row["jpeg"]) for row in rows]

    def snapshot(self, number: int) -> WaitingSnapshot | None:
        """One waiting snapshot; None when its receipt has come or it is parked."""
        found = self.next_snapshots(1, number - 1, number)
        return found[0] if found else None

    def next_clip(self, excluding: Collection[str] = (), *, newest: bool = False) -> WaitingClip | None:
        """The waiting clip of the highest class, the oldest of them (or the newest); `excluding` names clips."""
        marks = ",".join("?" * len(excluding))
        rows = self._store.read(
            "SELECT clip, episode, camera, seq, sha256, size_bytes, file, upload_url FROM clip "  # noqa: S608
            f"WHERE state = 'waiting' AND clip NOT IN ({marks}) "
            f"ORDER BY class DESC, seq {'DESC' if newest else 'ASC'} LIMIT 1",
            *excluding,
        )
        if not rows:
            return None
        row = rows[0]
        return WaitingClip(
            clip=row["clip"],
            episode=row["episode"],
            camera=row["camera"],
            seq=row["seq"],
            sha256=row["sha256"],
            size_bytes=row["size_bytes"],
            path=self.folder / row["file"],
            upload_url=row["upload_url"],
        )

    def is_waiting(self, clip: str) -> bool:
        """True while the clip is still to be sent: a receipt or the disk budget may end an upload at any moment."""
        return bool(self._store.read("SELECT 1 FROM clip WHERE clip = ? AND state = 'waiting'", clip))

    def note_upload(self, clip: str, upload_url: str | None) -> None:
        """Remember where a begun upload goes on, over restarts too; None forgets it."""
        with self._store.writing() as connection:
            connection.execute("UPDATE clip SET upload_url = ? WHERE clip = ?", (upload_url, clip))

    def receipt(self, receipt: Receipt) -> None:
        """Let go of what the collector has committed. Repeated, late and overlapping receipts do nothing more.

        Ranges of another outbox, or beyond the last number given (numbers that this outbox never gave: an old card
        image was put back, or the receipt is wrong), let go of nothing and are counted in `refused_receipts`.
        """
        with self._store.writing() as connection:
            if receipt.ranges and self._is_ours(receipt):
                gone = 0
                for first, last in receipt.ranges:
                    gone += connection.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", (first, last)).rowcount
                connection.execute("UPDATE outbox SET receipted = receipted + ?", (gone,))
            for sha256 in receipt.snapshots:
                connection.execute("DELETE FROM snapshot WHERE sha256 = ?", (sha256,))
            for sha256 in receipt.clips:
                connection.execute(
                    "UPDATE clip SET state = 'delivered', delivered_ms = ?, upload_url = NULL, parked_reason = NULL "
                    "WHERE sha256 = ? AND state IN ('waiting', 'parked')",
                    (self._clock.wall_ms(), sha256),
                )
            reach("outbox.receipt.written")
        reach("outbox.receipt.committed")

    # --- parking -------------------------------------------------------------------------------------------------

    def park(self, kind: ItemKind, key: str, reason: str) -> None:
        """Put a refused item out of the way (`key` as in ParkedItem); it stays until tried again or its receipt."""
        with self._store.writing() as connection:
            connection.execute(_PARK[kind], (reason, key))
        log.warning("item parked: the server refused it", kind=kind, key=key, reason=reason)

    def parked(self) -> list[ParkedItem]:
        """Everything parked."""
        with self._store.lock:
            return parked_in(self._store.connection)

    def unpark_all(self) -> int:
        """Have everything parked tried again; returns how many."""
        with self._store.writing() as connection:
            count = sum(connection.execute(statement).rowcount for statement in _UNPARK)
        self._tell()
        return count

    # --- the disk budget's side ----------------------------------------------------------------------------------

    def kept_clips(self) -> list[KeptClip]:
        """Every clip file on the disk."""
        rows = self._store.read(
            "SELECT clip, episode, camera, seq, size_bytes, class, state, file FROM clip WHERE state <> 'going'"
        )
        return [
            KeptClip(
                clip=row["clip"],
                episode=row["episode"],
                camera=row["camera"],
                seq=row["seq"],
                size_bytes=row["size_bytes"],
                clip_class=ClipClass(row["class"]),
                state=row["state"],
                path=self.folder / row["file"],
            )
            for row in rows
        ]

    def snapshot_bytes(self) -> int:
        """Bytes of waiting and parked snapshots."""
        return int(self._store.read("SELECT coalesce(sum(length(jpeg)), 0) AS total FROM snapshot")[0]["total"])

    def forget_clips(self, clips: Collection[str], reason: str) -> int:
        """Delete clip files; each that was not delivered is a `data_lost` event in the same transaction as its mark.

        Steps: rows say `going` and losses are events (one transaction); files are deleted and the folders synced; rows
        go. After a crash between any two, opening the outbox does the rest. Returns the bytes freed.
        """

        def mark(connection: sqlite3.Connection) -> int:
            freed = 0
            for clip in clips:
                row = connection.execute(
                    "SELECT episode, camera, size_bytes, state FROM clip WHERE clip = ? AND state <> 'going'", (clip,)
                ).fetchone()
                if row is None:
                    continue
                freed += row["size_bytes"]
                if row["state"] != "delivered":
                    self._store.insert_event(_loss("clip", reason, row, clip))
                connection.execute("UPDATE clip SET state = 'going' WHERE clip = ?", (clip,))
            return freed

        freed = self._store.durably(mark)
        reach("outbox.forget.marked")
        self._finish_deletions()
        self._tell()
        return freed

    def forget_oldest_snapshots(self, size_bytes: int, reason: str) -> int:
        """Delete the oldest snapshots until `size_bytes` are free, each told by `data_lost`; returns the bytes."""

        def delete(connection: sqlite3.Connection) -> int:
            freed = 0
            rows = connection.execute(
                "SELECT number, episode, length(jpeg) AS size_bytes FROM snapshot ORDER BY number"
            ).fetchall()
            for row in rows:
                if freed >= size_bytes:
                    break
                freed += row["size_bytes"]
                self._store.insert_event(_loss("snapshot", reason, row, None))
                connection.execute("DELETE FROM snapshot WHERE number = ?", (row["number"],))
            return freed

        freed = self._store.durably(delete)
        self._store.read("PRAGMA incremental_vacuum")
        self._tell()
        return freed

    def missing_reserve_bytes(self) -> int:
        """Room that `restore_reserve` would need now."""
        return self._store.reserve.missing_bytes()

    def restore_reserve(self) -> None:
        """Put back the disk space that keeps events flowing on a full disk, if it was used and there is room again."""
        self._store.reserve.restore()

    def _finish_deletions(self) -> None:
        with self._store.lock:
            rows = self._store.read("SELECT clip, file FROM clip WHERE state = 'going'")
            if not rows:
                return
            paths = [self.folder / row["file"] for row in rows]
            for path in paths:
                path.unlink(missing_ok=True)
                reach("outbox.forget.unlinked")
            for folder in {path.parent for path in paths if path.parent.is_dir()}:
                sync_folder(folder)
            reach("outbox.forget.synced")
            clips = [(row["clip"],) for row in rows]
            self._store.durably(lambda connection: connection.executemany("DELETE FROM clip WHERE clip = ?", clips))

    # --- figures -------------------------------------------------------------------------------------------------

    def stats(self) -> OutboxHealth:
        """What waits, for the heartbeat; delivered clip files do not count."""
        with self._store.lock:
            return stats_of(self._store.connection)

    # --- inside --------------------------------------------------------------------------------------------------

    def _is_ours(self, receipt: Receipt) -> bool:
        newest = max(last for _, last in receipt.ranges)
        if receipt.outbox == self.id and newest <= self._store.last_seq():
            return True
        self.refused_receipts += 1
        log.warning(
            "receipt refused: numbers that this outbox never gave", outbox=receipt.outbox, ours=self.id, newest=newest
        )
        return False

    def _relative(self, path: Path) -> str:
        try:
            return path.resolve().relative_to(self.folder.resolve()).as_posix()
        except ValueError:
            raise ValueError(f"{path} is not beneath the data folder {self.folder}") from None

    def _tell(self) -> None:
        for callback in self._listeners:
            callback()


_MAX_INT = 2**63 - 1
_PARK = {
    "event": "UPDATE event SET parked_reason = ? WHERE seq = ?",
    "snapshot": "UPDATE snapshot SET parked_reason = ? WHERE sha256 = ?",
    "clip": "UPDATE clip SET state = 'parked', parked_reason = ? WHERE clip = ? AND state = 'waiting'",
}
_UNPARK = (
    "UPDATE event SET parked_reason = NULL WHERE parked_reason IS NOT NULL",
    "UPDATE snapshot SET parked_reason = NULL WHERE parked_reason IS NOT NULL",
    "UPDATE clip SET state = 'waiting', parked_reason = NULL, upload_url = NULL WHERE state = 'parked'",
)


def _sha256_of(snapshot: NewSnapshot) -> str:
    if not snapshot.jpeg.startswith(b"\xff\xd8\xff") or len(snapshot.jpeg) > MAX_SNAPSHOT_BYTES:
        raise ValueError(f"snapshot of {len(snapshot.jpeg)} bytes is no JPEG of at most {MAX_SNAPSHOT_BYTES}")
    return hashlib.sha256(snapshot.jpeg).hexdigest()


def _loss(what: str, reason: str, row: sqlite3.Row, clip: str | None) -> DataLost:
    return DataLost(
        what=what,
        reason=reason,
        camera=row["camera"] if what == "clip" else None,
        episode=row["episode"],
        clip=clip,
        size_bytes=row["size_bytes"],
    )
