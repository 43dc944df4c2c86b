"""What heartbeats leave behind: when boxes were heard, the silences between, what cameras said of their picture."""

from typing import Any

from sqlalchemy import Connection, and_, func, select

from collector.fleet.gaps import Beat, Silence, Word, made_ms, silences_between
from collector.store.database import insert_ignoring
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import camera_states, cameras, heartbeats, silences
from vonggac.wire.messages import Envelope, Heartbeat


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
        select(states.c.since_ms, states.c.bad, states.c.reason, states.c.code)
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
        select(states.c.camera, states.c.since_ms, states.c.bad, states.c.reason, states.c.code)
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
