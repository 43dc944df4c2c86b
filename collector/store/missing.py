"""What of a box is not here, and where it is: its word on each of its outboxes against what has come."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from collector.fleet import completeness
from collector.fleet.completeness import Completeness, Range, Where
from collector.store import ledger, left_behind
from collector.store.database import upsert
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import boxes, clips, heartbeats, outboxes, uploads
from vonggac.wire.messages import OutboxHealth

LET_GO_AFTER_MS = 60_000
"""A clip that was announced so long before a heartbeat is counted in it, if the box still has it."""


def note_outbox(connection: Connection, box: str, word: OutboxHealth, heard_ms: int) -> None:
    """Keep the box's word on the outbox that is in it."""
    waiting = None if word.waiting is None else _sound(word.waiting)
    upsert(
        connection,
        outboxes,
        box=box,
        outbox=word.outbox,
        last_seq=word.last_seq,
        waiting=None if waiting is None else [list(each) for each in waiting],
        heard_ms=heard_ms,
    )


def completeness_of(
    connection: Connection, box: str | None = None, reach: Reach = EVERYWHERE
) -> dict[str, Completeness]:
    """By box (every registered one within reach, or only `box`): what of it is not here, and where it is."""
    chosen = select(boxes.c.id, boxes.c.connected).where(boxes.c.removed_ms.is_(None), reach.holds(boxes.c.id))
    if box is not None:
        chosen = select(boxes.c.id, boxes.c.connected).where(boxes.c.id == box)
    words = _words(connection, box)
    here = ledger.ranges_of_all(connection, box)
    waiting = _clips(connection, box)
    found = {}
    for name, is_connected in connection.execute(chosen):
        connected, mine, of_box = bool(is_connected), here.get(name, {}), words.get(name, {})
        missing: list[completeness.Missing] = []
        for outbox in sorted({*mine, *of_box}):
            word = of_box.get(outbox) or _unspoken(connection, name, outbox, of_box)
            missing += completeness.missing_of(outbox, mine.get(outbox, []), word, connected)
        found[name] = Completeness(tuple(missing), waiting.get(name, {}))
    return found


def _words(connection: Connection, box: str | None) -> dict[str, dict[str, completeness.Word]]:
    query = select(outboxes).order_by(outboxes.c.box, outboxes.c.heard_ms.desc())
    if box is not None:
        query = query.where(outboxes.c.box == box)
    found: dict[str, dict[str, completeness.Word]] = {}
    for row in connection.execute(query):
        waiting = None if row.waiting is None else tuple((first, last) for first, last in row.waiting)
        of_box = found.setdefault(row.box, {})
        of_box[row.outbox] = completeness.Word(row.last_seq, waiting, in_box=not of_box)
    return found


def _unspoken(
    connection: Connection, box: str, outbox: str, words: dict[str, completeness.Word]
) -> completeness.Word | None:
    """An outbox that no heartbeat has named: one whose first is on its way (None), or of a card that is gone."""
    if not words:
        return None
    heard_ms = connection.scalar(select(func.max(outboxes.c.heard_ms)).where(outboxes.c.box == box)) or 0
    if ledger.last_received_ms(connection, box, outbox) > heard_ms:
        return None
    return completeness.Word(0, (), in_box=False)


def _clips(connection: Connection, box: str | None) -> dict[str, dict[Where, int]]:
    under_way = uploads.c.id.is_not(None) & boxes.c.connected
    query = (
        select(clips.c.box, clips.c.state, under_way.label("under_way"), func.count().label("n"))
        .join(boxes, boxes.c.id == clips.c.box)
        .outerjoin(uploads, (uploads.c.clip == clips.c.id) & (uploads.c.box == clips.c.box))
        .where(clips.c.state.in_(("announced", "lost", left_behind.REASON)))
        .group_by(clips.c.box, clips.c.state, under_way)
    )
    if box is not None:
        query = query.where(clips.c.box == box)
    found: dict[str, dict[Where, int]] = {}
    for row in connection.execute(query):
        where = Where.HOLE
        if row.state == "announced":
            where = Where.ON_ITS_WAY if row.under_way else Where.ON_BOX
        of_box = found.setdefault(row.box, dict.fromkeys(Where, 0))
        of_box[where] += row.n
    for name, gone in let_go(connection, box).items():
        on_box = min(gone, found[name][Where.ON_BOX])
        found[name][Where.ON_BOX] -= on_box
        found[name][Where.HOLE] += on_box
    return found


def let_go(connection: Connection, box: str | None = None) -> dict[str, int]:
    """Clips that a box no longer has, by its last heartbeat, and that never came: at least so many.

    A collector that was restored from a backup finds here what it had given receipts for before. A box that still has
    events or refused items to send may only be about to send their receipts' clips, so it is not judged.
    """
    query = (
        select(heartbeats.c.box, heartbeats.c.body, func.count().label("n"))
        .join(clips, clips.c.box == heartbeats.c.box)
        .where(clips.c.state == "announced", clips.c.announced_ms < heartbeats.c.received_ms - LET_GO_AFTER_MS)
        .group_by(heartbeats.c.box)  # its primary key: the body goes with it
    )
    if box is not None:
        query = query.where(heartbeats.c.box == box)
    found = {}
    for row in connection.execute(query):
        told = row.body.get("outbox", {})
        if not told.get("events", 0) and not told.get("parked", 0) and row.n > told.get("clips", 0):
            found[row.box] = row.n - told.get("clips", 0)
    return found


def _sound(ranges: Sequence[Range]) -> list[Range]:
    """In order, disjoint and not empty, whatever a box says."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        low = max(first, found[-1][1] + 1 if found else 1)
        if last >= low:
            found.append((low, last))
    return found
