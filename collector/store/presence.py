"""What heartbeats leave behind: a box's word on each of its outboxes, and the silences between them; and both read."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select

from collector.fleet import completeness
from collector.fleet.completeness import Completeness, Range, Where
from collector.fleet.gaps import Beat, Silence, Word, made_ms, silences_between
from collector.store import ledger, left_behind
from collector.store.database import insert_ignoring, upsert
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import boxes, camera_states, cameras, clips, heartbeats, outboxes, silences, uploads
from vonggac.wire.messages import Envelope, Heartbeat, OutboxHealth

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


def note_silence(
    connection: Connection, envelope: Envelope, beat: Heartbeat, before: Beat | None, received_ms: int
) -> None:
    """Keep what lies between this heartbeat and the one before it, if the box was silent."""
    if before is None:
        return
    at_ms = made_ms(envelope.wall_ms, received_ms, envelope.clock)
    now = _beat(at_ms, envelope.mono_ms, envelope.boot_id, beat.interval_s, beat.host.run_began_mono_ms)
    for each in silences_between(before, now):
        insert_ignoring(
            connection, silences, box=envelope.box, from_ms=each.from_ms, until_ms=each.until_ms, kind=each.kind
        )


def _beat(at_ms: int, mono_ms: int, boot_id: str, interval_s: float, began_mono_ms: int | None) -> Beat:
    return Beat(at_ms, mono_ms, boot_id, 1000 * (interval_s if interval_s > 0 else 30.0), began_mono_ms)


def last_beat(connection: Connection, box: str) -> Beat | None:
    """The box's last heartbeat."""
    row = connection.execute(select(heartbeats).where(heartbeats.c.box == box)).one_or_none()
    return None if row is None else _beat_of(row)


def last_beats(connection: Connection, reach: Reach = EVERYWHERE) -> dict[str, Beat]:
    """The same of every box that was heard."""
    query = select(heartbeats).where(reach.holds(heartbeats.c.box))
    return {row.box: _beat_of(row) for row in connection.execute(query)}


def _beat_of(row: Any) -> Beat:
    at_ms = made_ms(row.wall_ms, row.received_ms, row.clock)
    began_mono_ms = row.body["host"].get("run_began_mono_ms")
    return _beat(at_ms, row.mono_ms, row.boot_id, row.body["interval_s"], began_mono_ms)


def silences_of(connection: Connection, box: str, since_ms: int, until_ms: int) -> list[Silence]:
    """What touches the window, earliest first."""
    query = (
        select(silences.c.from_ms, silences.c.until_ms, silences.c.kind)
        .where(silences.c.box == box, silences.c.until_ms > since_ms, silences.c.from_ms < until_ms)
        .order_by(silences.c.from_ms)
    )
    return [Silence(*row) for row in connection.execute(query)]


def silences_of_all(
    connection: Connection, since_ms: int, until_ms: int, reach: Reach = EVERYWHERE
) -> dict[str, list[Silence]]:
    """The same by box."""
    query = (
        select(silences.c.box, silences.c.from_ms, silences.c.until_ms, silences.c.kind)
        .where(silences.c.until_ms > since_ms, silences.c.from_ms < until_ms, reach.holds(silences.c.box))
        .order_by(silences.c.box, silences.c.from_ms)
    )
    found: dict[str, list[Silence]] = {}
    for box, *silence in connection.execute(query):
        found.setdefault(box, []).append(Silence(*silence))
    return found


def picture_words(connection: Connection, camera: str, since_ms: int, until_ms: int) -> list[Word]:
    """What the camera said of its picture within the window, and the last word before it."""
    states = camera_states
    mine = and_(states.c.camera == camera, states.c.aspect == "picture")
    before = select(func.max(states.c.since_ms)).where(mine, states.c.since_ms <= since_ms).scalar_subquery()
    query = (
        select(states.c.since_ms, states.c.bad, states.c.reason)
        .where(mine, states.c.since_ms >= func.coalesce(before, since_ms), states.c.since_ms < until_ms)
        .order_by(states.c.since_ms, states.c.received_ms)
    )
    return [Word(*row) for row in connection.execute(query)]


def picture_words_of_all(
    connection: Connection, since_ms: int, until_ms: int, reach: Reach = EVERYWHERE
) -> dict[str, list[Word]]:
    """The same by camera."""
    states = camera_states
    mine = and_(states.c.camera == cameras.c.id, states.c.aspect == "picture")
    earlier = states.alias()
    before = (
        select(func.max(earlier.c.since_ms))
        .where(earlier.c.camera == cameras.c.id, earlier.c.aspect == "picture", earlier.c.since_ms <= since_ms)
        .correlate(cameras)
        .scalar_subquery()
    )
    query = (
        select(states.c.camera, states.c.since_ms, states.c.bad, states.c.reason)
        .select_from(cameras.join(states, mine))
        .where(states.c.since_ms >= func.coalesce(before, since_ms), states.c.since_ms < until_ms)
        .where(reach.holds(cameras.c.box))
        .order_by(states.c.camera, states.c.since_ms, states.c.received_ms)
    )
    found: dict[str, list[Word]] = {}
    for camera, *word in connection.execute(query):
        found.setdefault(camera, []).append(Word(*word))
    return found


def prune_silences(connection: Connection, before_ms: int) -> None:
    """Forget the oldest."""
    connection.execute(silences.delete().where(silences.c.until_ms < before_ms))


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
