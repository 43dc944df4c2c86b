"""The ledger of sequenced events: what came, which numbers are here, which are missing; and what could not be read."""

from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from collector.store.clips import held_episodes
from collector.store.database import insert_ignoring
from collector.store.schema import counters, events, heartbeat_history, kept_aside, sequences
from vonggac.wire.messages import Envelope

KEPT_ASIDE_ROWS = 1000
KEPT_ASIDE_BYTES = 4096
EVENTS_PRUNED = "events_pruned"
USED_TWICE = "numbers_used_twice"
"""Counters by which fsck reckons how many numbers are here without an event in the ledger."""


def record_event(connection: Connection, envelope: Envelope, kind: str, body: dict[str, Any], received_ms: int) -> bool:
    """Write an event of type `kind` into the ledger; False when exactly this message is there already.

    The caller has seen to it that `seq` and `outbox` are given. A number that was pruned from the ledger is still
    known to `sequences`: its repetition counts as known.
    """
    assert envelope.seq is not None  # noqa: S101 - the codec refuses a sequenced message without
    assert envelope.outbox is not None  # noqa: S101
    had_number = _covers(connection, envelope.box, envelope.outbox, envelope.seq)
    if had_number and not _in_ledger(connection, envelope):
        return False
    inserted = insert_ignoring(
        connection,
        events,
        box=envelope.box,
        outbox=envelope.outbox,
        seq=envelope.seq,
        message_id=envelope.id,
        type=kind,
        boot_id=envelope.boot_id,
        wall_ms=envelope.wall_ms,
        mono_ms=envelope.mono_ms,
        clock=envelope.clock,
        received_ms=received_ms,
        body=body,
    )
    if inserted and had_number:
        count(connection, USED_TWICE)
    if not had_number:
        add_number(connection, envelope.box, envelope.outbox, envelope.seq)
    return inserted


def _in_ledger(connection: Connection, envelope: Envelope) -> bool:
    return (
        connection.scalar(
            select(events.c.id)
            .where(events.c.box == envelope.box, events.c.outbox == envelope.outbox, events.c.seq == envelope.seq)
            .limit(1)
        )
        is not None
    )


def _covers(connection: Connection, box: str, outbox: str, seq: int) -> bool:
    here = and_(sequences.c.box == box, sequences.c.outbox == outbox)
    return (
        connection.scalar(
            select(sequences.c.first_seq).where(here, sequences.c.first_seq <= seq, sequences.c.last_seq >= seq)
        )
        is not None
    )


def add_number(connection: Connection, box: str, outbox: str, seq: int) -> None:
    """Grow, join or begin a range, so that the ranges stay disjoint and never touch."""
    here = and_(sequences.c.box == box, sequences.c.outbox == outbox)
    touching = connection.execute(
        select(sequences.c.first_seq, sequences.c.last_seq).where(
            here, or_(sequences.c.last_seq == seq - 1, sequences.c.first_seq == seq + 1)
        )
    ).all()
    first = min([seq, *(row.first_seq for row in touching)])
    last = max([seq, *(row.last_seq for row in touching)])
    if len(touching) == 1 and touching[0].first_seq == first:
        connection.execute(update(sequences).where(here, sequences.c.first_seq == first).values(last_seq=last))
        return
    for row in touching:
        connection.execute(delete(sequences).where(here, sequences.c.first_seq == row.first_seq))
    connection.execute(insert(sequences).values(box=box, outbox=outbox, first_seq=first, last_seq=last))


def ranges_of(connection: Connection, box: str) -> dict[str, list[tuple[int, int]]]:
    """Which numbers are here, by outbox, as inclusive ranges in order."""
    return ranges_of_all(connection, box).get(box, {})


def ranges_of_all(connection: Connection, box: str | None = None) -> dict[str, dict[str, list[tuple[int, int]]]]:
    """The same by box: of all boxes, or only of `box`."""
    found: dict[str, dict[str, list[tuple[int, int]]]] = {}
    query = select(sequences).order_by(sequences.c.box, sequences.c.outbox, sequences.c.first_seq)
    if box is not None:
        query = query.where(sequences.c.box == box)
    for row in connection.execute(query):
        found.setdefault(row.box, {}).setdefault(row.outbox, []).append((row.first_seq, row.last_seq))
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
