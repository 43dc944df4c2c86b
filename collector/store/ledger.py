"""The ledger of sequenced events: what came, which numbers are here, which are missing; and what could not be read."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, tuple_, update

from collector.store.clips import held_episodes
from collector.store.database import insert_ignoring
from collector.store.schema import counters, events, heartbeat_history, kept_aside, sequences
from vonggac.wire.messages import Envelope

KEPT_ASIDE_ROWS = 1000
KEPT_ASIDE_BYTES = 4096
EVENTS_PRUNED = "events_pruned"
USED_TWICE = "numbers_used_twice"
"""Counters by which fsck reckons how many numbers are here without an event in the ledger."""


@dataclass(frozen=True)
class Entry:
    """A sequenced message (the codec refuses one without `seq` and `outbox`) of type `kind`; `body` as it travelled."""

    envelope: Envelope
    kind: str
    body: dict[str, Any]
    received_ms: int


def record_events(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    """Write events into the ledger; for each False when exactly this message is there already.

    A number that was pruned from the ledger is still known to `sequences`: its repetition counts as known.
    """
    numbers = _Numbers(connection, {key_of(entry)[:2] for entry in entries})
    known = [key for entry in entries if numbers.covers(*(key := key_of(entry)))]
    ids = _ids_in_ledger(connection, known)
    fresh: list[Entry] = []
    verdicts, twice = [], 0
    for entry in entries:
        key = key_of(entry)
        here, had_number = ids.setdefault(key, set()), numbers.covers(*key)
        is_new = not had_number or (bool(here) and entry.envelope.id not in here)
        verdicts.append(is_new)
        if is_new:
            here.add(entry.envelope.id)
            fresh.append(entry)
            twice += had_number
            numbers.add(*key)
    if fresh:
        connection.execute(insert(events), [_row_of(entry) for entry in fresh])
    numbers.write(connection)
    if twice:
        count(connection, USED_TWICE, twice)
    return verdicts


Key = tuple[str, str, int]
"""Box, outbox and number."""


def key_of(entry: Entry) -> Key:
    """Where in the ledger it stands."""
    envelope = entry.envelope
    assert envelope.seq is not None  # noqa: S101 - the codec refuses a sequenced message without
    assert envelope.outbox is not None  # noqa: S101
    return envelope.box, envelope.outbox, envelope.seq


def _row_of(entry: Entry) -> dict[str, Any]:
    envelope = entry.envelope
    return {
        "box": envelope.box,
        "outbox": envelope.outbox,
        "seq": envelope.seq,
        "message_id": envelope.id,
        "type": entry.kind,
        "boot_id": envelope.boot_id,
        "wall_ms": envelope.wall_ms,
        "mono_ms": envelope.mono_ms,
        "clock": envelope.clock,
        "received_ms": entry.received_ms,
        "body": entry.body,
    }


def _ids_in_ledger(connection: Connection, keys: Sequence[Key]) -> dict[Key, set[str]]:
    found: dict[Key, set[str]] = {}
    if keys:
        place = tuple_(events.c.box, events.c.outbox, events.c.seq)
        query = select(events.c.box, events.c.outbox, events.c.seq, events.c.message_id).where(place.in_(keys))
        for box, outbox, seq, message_id in connection.execute(query):
            found.setdefault((box, outbox, seq), set()).add(message_id)
    return found


class _Numbers:
    """The ranges of some outboxes, in memory until they are written."""

    def __init__(self, connection: Connection, outboxes: set[tuple[str, str]]) -> None:
        self._before: dict[tuple[str, str], dict[int, int]] = {outbox: {} for outbox in outboxes}
        place = tuple_(sequences.c.box, sequences.c.outbox)
        for row in connection.execute(select(sequences).where(place.in_(sorted(outboxes)))):
            self._before[row.box, row.outbox][row.first_seq] = row.last_seq
        self._now = {outbox: sorted(ranges.items()) for outbox, ranges in self._before.items()}

    def covers(self, box: str, outbox: str, seq: int) -> bool:
        """Is the number here?"""
        ranges = self._now[box, outbox]
        at = bisect_right(ranges, (seq, MAX_SEQ))
        return at > 0 and ranges[at - 1][1] >= seq

    def add(self, box: str, outbox: str, seq: int) -> None:
        """Grow, join or begin a range, so that the ranges stay disjoint and never touch."""
        if self.covers(box, outbox, seq):
            return
        ranges = self._now[box, outbox]
        at = bisect_right(ranges, (seq, MAX_SEQ))
        first = last = seq
        begin = end = at
        if at > 0 and ranges[at - 1][1] == seq - 1:
            first, begin = ranges[at - 1][0], at - 1
        if at < len(ranges) and ranges[at][0] == seq + 1:
            last, end = ranges[at][1], at + 1
        ranges[begin:end] = [(first, last)]

    def write(self, connection: Connection) -> None:
        """Bring the table to what stands in memory."""
        gone, changed, begun = [], [], []
        for (box, outbox), before in self._before.items():
            now = dict(self._now[box, outbox])
            whose = {"of_box": box, "of_outbox": outbox}
            gone += [{**whose, "of_first": first} for first in before if first not in now]
            changed += [
                {**whose, "of_first": first, "last": last}
                for first, last in now.items()
                if before.get(first, last) != last
            ]
            begun += [
                {"box": box, "outbox": outbox, "first_seq": first, "last_seq": last}
                for first, last in now.items()
                if first not in before
            ]
        if gone:
            connection.execute(_RANGE_GONE, gone)
        if changed:
            connection.execute(_RANGE_GROWN, changed)
        if begun:
            connection.execute(insert(sequences), begun)


MAX_SEQ = 2**63 - 1
_ONE_RANGE = and_(
    sequences.c.box == bindparam("of_box"),
    sequences.c.outbox == bindparam("of_outbox"),
    sequences.c.first_seq == bindparam("of_first"),
)
_RANGE_GONE = delete(sequences).where(_ONE_RANGE)
_RANGE_GROWN = update(sequences).where(_ONE_RANGE).values(last_seq=bindparam("last"))


def add_number(connection: Connection, box: str, outbox: str, seq: int) -> None:
    """The number is here, whatever the ledger says."""
    numbers = _Numbers(connection, {(box, outbox)})
    numbers.add(box, outbox, seq)
    numbers.write(connection)


def ranges_of(connection: Connection, box: str) -> dict[str, list[tuple[int, int]]]:
    """Which numbers are here, by outbox, as inclusive ranges in order."""
    return ranges_of_all(connection, box).get(box, {})


def ranges_of_all(connection: Connection, box: str | None = None) -> dict[str, dict[str, list[tuple[int, int]]]]:
    """The same by box: of all boxes, or only of `box`."""
    found: dict[str, dict[str, list[tuple[int, int]]]] = {}
    query = select(sequences).order_by(sequences.c.box, sequences.c.outbox, sequences.c.first_seq)
    if box is not None:
        query = query.where(sequences.c.box == box)
    for name, outbox, first_seq, last_seq in connection.execute(query):
        found.setdefault(name, {}).setdefault(outbox, []).append((first_seq, last_seq))
    return found


def last_received_ms(connection: Connection, box: str, outbox: str) -> int:
    """When the newest event of an outbox came; 0 when none is in the ledger."""
    query = select(func.max(events.c.received_ms)).where(events.c.box == box, events.c.outbox == outbox)
    return int(connection.scalar(query) or 0)


def keep_aside(connection: Connection, topic: str, payload: bytes, kind: str, reason: str, received_ms: int) -> None:
    """Keep the beginning of what could not be taken, count it, and forget all but the newest."""
    row = connection.execute(
        insert(kept_aside)
        .values(
            received_ms=received_ms,
            topic=_storable(topic)[:256],
            kind=kind,
            reason=_storable(reason)[:512],
            size_bytes=len(payload),
            payload=payload[:KEPT_ASIDE_BYTES],
        )
        .returning(kept_aside.c.id)
    ).scalar_one()
    connection.execute(delete(kept_aside).where(kept_aside.c.id <= row - KEPT_ASIDE_ROWS))
    count(connection, f"kept_aside_{kind}")


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def count(connection: Connection, name: str, by: int = 1) -> None:
    """Add to a counter that outlives the process."""
    if not insert_ignoring(connection, counters, name=name, value=by):
        connection.execute(update(counters).where(counters.c.name == name).values(value=counters.c.value + by))


def all_counters(connection: Connection) -> dict[str, int]:
    """Every counter by name."""
    query = select(counters.c.name, counters.c.value).order_by(counters.c.name)
    return {row.name: row.value for row in connection.execute(query)}


def prune_events(connection: Connection, before_ms: int, limit: int = 5000) -> int:
    """Forget the oldest events; which numbers came stays known. Returns how many went.

    What was said of an episode whose clip is under legal hold stays.
    """
    episode = func.coalesce(events.c.body["episode"].as_string(), "")
    may_go = and_(events.c.received_ms < before_ms, episode.not_in(held_episodes()))
    old = select(events.c.id).where(may_go).order_by(events.c.received_ms).limit(limit)
    gone = connection.execute(delete(events).where(events.c.id.in_(old))).rowcount
    if gone:
        count(connection, EVENTS_PRUNED, gone)
    return gone


def prune_heartbeats(connection: Connection, before_ms: int, thin_before_ms: int, every_ms: int = 600_000) -> int:
    """Forget the oldest heartbeats, and of those older than `thin_before_ms` keep the first in every ten minutes."""
    history = heartbeat_history
    gone = connection.execute(delete(history).where(history.c.received_ms < before_ms)).rowcount
    slot = history.c.received_ms - history.c.received_ms % every_ms
    since_ms = thin_before_ms - 2 * 3_600_000  # what is older was thinned before
    kept = (
        select(func.min(history.c.id))
        .where(history.c.received_ms.between(since_ms, thin_before_ms))
        .group_by(history.c.box, slot)
    )
    return (
        gone
        + connection.execute(
            delete(history).where(history.c.received_ms.between(since_ms, thin_before_ms), history.c.id.not_in(kept))
        ).rowcount
    )


def list_events(connection: Connection, *, since_ms: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Events received since then, the newest first."""
    columns = [events.c[name] for name in ("received_ms", "box", "seq", "type", "wall_ms", "clock", "body")]
    query = select(*columns).where(events.c.received_ms >= since_ms)
    query = query.order_by(events.c.received_ms.desc(), events.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
