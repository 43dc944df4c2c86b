"""What is known of the clock of each boot of each box, and the dating of all that it told, again when more is known.

Everything stands in the database: a collector that was restarted goes on where it was. The box's own times are never
changed (`box_…`); the best known ones stand beside them, and which they are (`dated`). The order of events is that of
their numbers and is left alone; so are alerts: an episode that is in an incident is not shown to the rules again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, func, insert, select, text, tuple_, update

from collector.store.database import insert_ignoring
from collector.store.dating import AGREES_MS, Anchor, Boot, Bounds, Dated, Told, adds, bounds_of, date
from collector.store.live import note_change
from collector.store.schema import (
    boots,
    camera_states,
    cameras,
    clips,
    clock_anchors,
    episodes,
    incident_episodes,
    incidents,
)
from vonggac.wire.messages import Envelope

UNKNOWN = "unknown"
"""The worth of a clock of which only a later boot told: it says nothing for itself."""
_UNCERTAIN = text("dated = 'uncertain'")  # as text, so that the partial indexes of the schema are seen to fit


@dataclass(frozen=True)
class Moment:
    """A moment in the life of a boot, and what the box called it."""

    boot_id: str
    mono_ms: int
    wall_ms: int
    clock: str
    received_ms: int  # when the collector first heard of it


def moment(envelope: Envelope, wall_ms: int, received_ms: int) -> Moment:
    """A time that a message names: by the two clocks as they stood when it was made."""
    mono_ms = envelope.mono_ms - (envelope.wall_ms - wall_ms)
    return Moment(envelope.boot_id, mono_ms, wall_ms, envelope.clock, received_ms)


Heard = tuple[Envelope, int]
"""A message of a box that is no last will, and when it came."""


def hear(connection: Connection, heard: Iterable[Heard]) -> None:
    """Learn from messages of boxes, before they are stored. What was dated by less is dated again."""
    of_boot: dict[tuple[str, str], list[Heard]] = {}
    for envelope, received_ms in heard:
        of_boot.setdefault((envelope.box, envelope.boot_id), []).append((envelope, received_ms))
    more = _learn_bounds(connection, of_boot) | _learn_anchors(connection, of_boot)
    for (box, boot_id), messages in of_boot.items():
        if (box, boot_id) in more:
            _date_again(connection, box, boot_id, max(received_ms for _, received_ms in messages))


_GROWN = (
    update(boots)
    .where(boots.c.box == bindparam("of_box"), boots.c.boot_id == bindparam("of_boot"))
    .values({name: bindparam(f"new_{name}") for name in (each.name for each in boots.columns if not each.primary_key)})
)


def _learn_bounds(connection: Connection, of_boot: Mapping[tuple[str, str], Sequence[Heard]]) -> set[tuple[str, str]]:
    """The boots of which more is known now."""
    place = tuple_(boots.c.box, boots.c.boot_id)
    query = select(boots).where(place.in_(sorted(of_boot)))
    before = {(row["box"], row["boot_id"]): dict(row) for row in connection.execute(query).mappings()}
    more, new, grown = set(), [], []
    for (box, boot_id), messages in of_boot.items():
        known = before.get((box, boot_id))
        values = _bounds_with(known or {}, messages)
        if known is None:
            new.append({"box": box, "boot_id": boot_id, **values})
            is_more = values["first_seq"] is not None
        else:
            grown.append({"of_box": box, "of_boot": boot_id, **{f"new_{name}": of for name, of in values.items()}})
            is_more = any(values[name] != known[name] for name in ("latest_offset_ms", "first_seq"))
        if is_more:
            more.add((box, boot_id))
    if new:
        connection.execute(insert(boots), new)
    if grown:
        connection.execute(_GROWN, grown)
    return more


def _bounds_with(before: Mapping[str, Any], messages: Sequence[Heard]) -> dict[str, Any]:
    # A boot that numbers in two outboxes (a card was changed under it) is placed by the newer: their ids sort so.
    outbox = max([envelope.outbox or "" for envelope, _ in messages] + [before.get("outbox") or ""])
    numbers = [envelope.seq for envelope, _ in messages if envelope.outbox == outbox and envelope.seq is not None]
    if before.get("first_seq") is not None and before["outbox"] == outbox:
        numbers.append(before["first_seq"])
    latest = [received_ms - envelope.mono_ms for envelope, received_ms in messages]
    # The bound that is kept is the one that was dated by: small steps towards the truth add up until they count.
    narrower = bool(before) and before["latest_offset_ms"] - min(latest) >= AGREES_MS
    return {
        "latest_offset_ms": before["latest_offset_ms"] if before and not narrower else min(latest),
        "last_mono_ms": max([*(envelope.mono_ms for envelope, _ in messages), before.get("last_mono_ms", 0)]),
        "received_ms": max([*(received_ms for _, received_ms in messages), before.get("received_ms", 0)]),
        "outbox": outbox or None,
        "first_seq": min(numbers, default=None),
    }


def _learn_anchors(connection: Connection, of_boot: Mapping[tuple[str, str], Sequence[Heard]]) -> set[tuple[str, str]]:
    """The boots of which more is known now."""
    news = {
        boot: anchors
        for boot, messages in of_boot.items()
        if (anchors := [Anchor(each.mono_ms, each.wall_ms - each.mono_ms) for each, _ in messages if _is_right(each)])
    }
    if not news:
        return set()
    place = tuple_(clock_anchors.c.box, clock_anchors.c.boot_id)
    known: dict[tuple[str, str], list[Anchor]] = {}
    for row in connection.execute(select(clock_anchors).where(place.in_(sorted(news)))):
        known.setdefault((row.box, row.boot_id), []).append(Anchor(row.mono_ms, row.offset_ms))
    more = set()
    for (box, boot_id), anchors in news.items():
        here = sorted(known.get((box, boot_id), ()))
        for new in sorted(anchors):
            if adds(here, new):
                more.add((box, boot_id))
                insert_ignoring(
                    connection, clock_anchors, box=box, boot_id=boot_id, mono_ms=new.mono_ms, offset_ms=new.offset_ms
                )
                here = sorted([*here, new])
    return more


def _is_right(envelope: Envelope) -> bool:
    return envelope.clock == "synced"


def _anchors(connection: Connection, box: str, boot_id: str) -> tuple[Anchor, ...]:
    query = select(clock_anchors.c.mono_ms, clock_anchors.c.offset_ms).where(
        clock_anchors.c.box == box, clock_anchors.c.boot_id == boot_id
    )
    return tuple(Anchor(*row) for row in connection.execute(query.order_by(clock_anchors.c.mono_ms)))


class Calendar:
    """Dates the moments of one box; reads of each boot what it needs, once."""

    def __init__(self, connection: Connection, box: str) -> None:
        self._connection = connection
        self._box = box
        self._anchors: dict[str, tuple[Anchor, ...]] = {}
        self._all: dict[str, Bounds] | None = None

    def date(self, told: Moment) -> Dated:
        """When it was."""
        if told.clock == "synced":
            return Dated(told.wall_ms, "told")
        if told.boot_id not in self._anchors:
            self._anchors[told.boot_id] = _anchors(self._connection, self._box, told.boot_id)
        anchors = self._anchors[told.boot_id]
        bounds = Bounds(None, 0) if anchors else self._bounds(told)
        return date(Told(told.mono_ms, told.wall_ms, told.clock), anchors, bounds)

    def _bounds(self, told: Moment) -> Bounds:
        if self._all is None:
            self._all = dict(bounds_of(self._boots()))
        # Of some boots nothing came but what a later one told of them.
        return self._all.get(told.boot_id, Bounds(None, told.received_ms - told.mono_ms))

    def _boots(self) -> list[Boot]:
        anchors: dict[str, list[Anchor]] = {}
        query = select(clock_anchors).where(clock_anchors.c.box == self._box).order_by(clock_anchors.c.mono_ms)
        for row in self._connection.execute(query):
            anchors.setdefault(row.boot_id, []).append(Anchor(row.mono_ms, row.offset_ms))
        return [
            Boot(
                boot_id=row.boot_id,
                latest_offset_ms=row.latest_offset_ms,
                last_mono_ms=row.last_mono_ms,
                outbox=row.outbox,
                first_seq=row.first_seq,
                anchors=tuple(anchors.get(row.boot_id, ())),
            )
            for row in self._connection.execute(select(boots).where(boots.c.box == self._box))
        ]


class Calendars:
    """The calendars of all boxes in one transaction; what is learnt has to be learnt before the first is asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._of_box: dict[str, Calendar] = {}

    def of(self, box: str) -> Calendar:
        """The calendar of one box."""
        return self._of_box.setdefault(box, Calendar(self._connection, box))


# --- dating again ------------------------------------------------------------------------------------------------


def episode_times(calendar: Calendar, row: Any) -> dict[str, Any]:
    """The best known times of an episode's values; its length is monotonic, whatever the wall clock did meanwhile."""
    if row["start_mono_ms"] is None:
        return {"start_ms": row["box_start_ms"], "last_ms": row["box_last_ms"]} | _ended(row, row["box_last_ms"])
    told = Moment(row["boot_id"], row["start_mono_ms"], row["box_start_ms"], row["clock"], row["first_received_ms"])
    found = calendar.date(told)
    last_ms = found.wall_ms + max(0, row["last_mono_ms"] - row["start_mono_ms"])
    return {"start_ms": found.wall_ms, "last_ms": last_ms} | _how(found) | _ended(row, last_ms)


def _ended(row: Any, last_ms: int) -> dict[str, Any]:
    return {"end_ms": None if row["end_ms"] is None else last_ms}


def _how(found: Dated) -> dict[str, Any]:
    return {"dated": found.how, "earliest_ms": found.earliest_ms, "latest_ms": found.latest_ms}


def clip_times(calendar: Calendar, row: Any) -> dict[str, Any]:
    """The best known time of a clip's first picture."""
    at = (row["first_frame_mono_ms"], row["box_first_frame_ms"])
    found = calendar.date(Moment(row["boot_id"], *at, row["clock"], row["announced_ms"]))
    return {"first_frame_ms": found.wall_ms, "dated": found.how}


def state_times(calendar: Calendar, row: Any) -> dict[str, Any]:
    """The best known time since when a camera is as it is."""
    told = Moment(row["boot_id"], row["mono_ms"], row["box_since_ms"], row["clock"], row["received_ms"])
    return {"since_ms": calendar.date(told).wall_ms}


def _date_again(connection: Connection, box: str, boot_id: str, now_ms: int) -> None:
    """More is known of a boot's clock: what it told, and what is between bounds in other boots of the box."""
    calendar = Calendar(connection, box)
    grown = set()
    for episode in _changed(connection, episodes, _told_by(episodes, box, boot_id), "id", calendar, episode_times):
        note_change(connection, "episode", episode, now_ms)
        incident = connection.scalar(select(incident_episodes.c.incident).where(incident_episodes.c.episode == episode))
        if incident is None:
            # The hours of a rule may fit now. What was told already is not told again: it is in an incident.
            connection.execute(update(episodes).where(episodes.c.id == episode).values(rules_ms=None))
        else:
            grown.add(incident)
    for incident in sorted(grown):
        _span_again(connection, incident, now_ms)
    for clip in _changed(connection, clips, _told_by(clips, box, boot_id), "id", calendar, clip_times):
        note_change(connection, "clip", clip, now_ms)
    mine = select(cameras.c.id).where(cameras.c.box == box)
    theirs = and_(camera_states.c.camera.in_(mine), camera_states.c.boot_id == boot_id)
    _changed(connection, camera_states, [theirs], "message_id", calendar, state_times)


def _told_by(table: Table, box: str, boot_id: str) -> list[Any]:
    """What this boot told, and what is uncertain of the box's others. Two questions, so that each has its index: with
    an OR the database reads all that the box ever told."""
    of_boot = and_(table.c.box == box, table.c.boot_id == boot_id)
    return [of_boot, and_(table.c.box == box, _UNCERTAIN, table.c.boot_id.concat("") != boot_id)]


def _changed(
    connection: Connection, table: Table, theirs: Sequence[Any], key: str, calendar: Calendar, times_of: Any
) -> Sequence[str]:
    found = []
    for row in [row for part in theirs for row in connection.execute(select(table).where(part)).mappings().all()]:
        times = times_of(calendar, row)
        if any(row[name] != value for name, value in times.items()):
            connection.execute(update(table).where(table.c[key] == row[key]).values(**times))
            found.append(row[key])
    return found


def _span_again(connection: Connection, incident: str, now_ms: int) -> None:
    span = connection.execute(
        select(func.min(episodes.c.start_ms), func.max(episodes.c.last_ms))
        .join(incident_episodes, incident_episodes.c.episode == episodes.c.id)
        .where(incident_episodes.c.incident == incident)
    ).one()
    connection.execute(update(incidents).where(incidents.c.id == incident).values(start_ms=span[0], last_ms=span[1]))
    note_change(connection, "incident", incident, now_ms)
