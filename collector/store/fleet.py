"""What the fleet's watch reads and writes: what was heard of boxes and cameras, their present states, their outages."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from collector.store.database import upsert
from collector.store.incidents import tell
from collector.store.schema import (
    boxes,
    camera_states,
    cameras,
    fleet_states,
    heartbeats,
    maintenance_windows,
    outages,
)


@dataclass(frozen=True, kw_only=True)
class BoxHeard:
    """A box as it was last heard. `heartbeat` is its body as it travelled, with `_ms` the collector's stamp."""

    id: str
    site: str
    commune: str
    removed_ms: int | None
    connected: bool | None
    status_ms: int | None
    offline_reason: str | None
    heartbeat: dict[str, Any] | None
    heartbeat_ms: int | None
    heartbeat_wall_ms: int | None
    heartbeat_mono_ms: int | None
    boot_id: str | None
    clock: str | None


@dataclass(frozen=True, kw_only=True)
class CameraHeard:
    """A camera and its last word on its picture; `tampers` are the kinds that are active."""

    id: str
    box: str
    name: str
    configured: bool
    picture_bad: bool | None
    picture_since_ms: int | None
    picture_received_ms: int | None
    tampers: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state of a box or camera (`kind`) as last derived."""

    kind: str
    ref: str
    state: str
    since_ms: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A time in which something was not there; open while `end_ms` is None. `told_ms`: people were told.

    `kind` is box, camera, site, commune or all (disk and clone: see their watches). `members` are the cameras of a box,
    the boxes of a site, a commune or all; `parent` the outage that it is part of; `boot_id` the boot in which a box was
    last heard, `hint` why it was away: power, program or network, known when it is heard again.
    """

    id: str
    kind: str
    ref: str
    state: str
    reason: str | None
    start_ms: int
    end_ms: int | None
    told_ms: int | None
    members: tuple[str, ...] = ()
    parent: str | None = None
    boot_id: str | None = None
    hint: str | None = None

    @property
    def noted_ms(self) -> int:
        """When its row was made: its UUIDv7 begins with it."""
        return int(self.id.replace("-", "")[:12], 16)


def boxes_heard(connection: Connection) -> list[BoxHeard]:
    """Every box that was ever registered."""
    query = select(
        boxes.c.id,
        boxes.c.site,
        boxes.c.commune,
        boxes.c.removed_ms,
        boxes.c.connected,
        boxes.c.status_ms,
        boxes.c.offline_reason,
        heartbeats.c.body.label("heartbeat"),
        heartbeats.c.received_ms.label("heartbeat_ms"),
        heartbeats.c.wall_ms.label("heartbeat_wall_ms"),
        heartbeats.c.mono_ms.label("heartbeat_mono_ms"),
        heartbeats.c.boot_id,
        heartbeats.c.clock,
    ).outerjoin(heartbeats, heartbeats.c.box == boxes.c.id)
    return [BoxHeard(**row) for row in connection.execute(query.order_by(boxes.c.id)).mappings()]


def cameras_heard(connection: Connection) -> list[CameraHeard]:
    """Every camera with the newest word of each aspect."""
    newest = (
        select(camera_states.c.camera, camera_states.c.aspect, func.max(camera_states.c.since_ms).label("since_ms"))
        .group_by(camera_states.c.camera, camera_states.c.aspect)
        .subquery()
    )
    words = select(
        camera_states.c.camera,
        camera_states.c.aspect,
        camera_states.c.bad,
        camera_states.c.since_ms,
        camera_states.c.received_ms,
    ).join(
        newest,
        and_(
            newest.c.camera == camera_states.c.camera,
            newest.c.aspect == camera_states.c.aspect,
            newest.c.since_ms == camera_states.c.since_ms,
        ),
    )
    said: dict[str, dict[str, Any]] = {}
    for word in connection.execute(words.order_by(camera_states.c.received_ms)):
        said.setdefault(word.camera, {})[word.aspect] = word
    found = []
    columns = (cameras.c.id, cameras.c.box, cameras.c.name, cameras.c.configured)
    for row in connection.execute(select(*columns).order_by(cameras.c.id)).mappings():
        aspects = said.get(row["id"], {})
        picture = aspects.get("picture")
        found.append(
            CameraHeard(
                **row,
                picture_bad=None if picture is None else picture.bad,
                picture_since_ms=None if picture is None else picture.since_ms,
                picture_received_ms=None if picture is None else picture.received_ms,
                tampers=frozenset(name for name, word in aspects.items() if name != "picture" and word.bad),
            )
        )
    return found


def standings(connection: Connection) -> dict[tuple[str, str], Standing]:
    """Every present state, by (kind, ref)."""
    columns = [fleet_states.c[name] for name in Standing.__dataclass_fields__]
    return {
        (row["kind"], row["ref"]): Standing(**{**row, "reasons": tuple(row["reasons"])})
        for row in connection.execute(select(*columns)).mappings()
    }


def under_maintenance(connection: Connection, now_ms: int) -> set[tuple[str, str]]:
    """(kind, ref) of what somebody works on now."""
    windows = maintenance_windows.c
    query = select(windows.kind, windows.ref).where(windows.start_ms <= now_ms, windows.until_ms > now_ms)
    return {(row.kind, row.ref) for row in connection.execute(query)}


def put_standing(connection: Connection, standing: Standing, now_ms: int) -> None:
    """Write a new state and tell the live feed."""
    upsert(
        connection,
        fleet_states,
        kind=standing.kind,
        ref=standing.ref,
        state=standing.state,
        since_ms=standing.since_ms,
        reasons=list(standing.reasons),
        checked_ms=now_ms,
    )
    tell(connection, standing.kind, standing.ref, now_ms)


def mark_checked(connection: Connection, now_ms: int) -> None:
    """All states were derived again just now."""
    connection.execute(update(fleet_states).values(checked_ms=now_ms))


def open_outages(connection: Connection) -> dict[tuple[str, str], Outage]:
    """The outages that go on, by (kind, ref)."""
    rows = connection.execute(select(*_OUTAGE).where(outages.c.end_ms.is_(None))).mappings()
    return {(row["kind"], row["ref"]): outage_of(row) for row in rows}


def outage_of(row: Any) -> Outage:
    """From a row of `outages`."""
    return Outage(**{**row, "members": tuple(row["members"])})


def begun_since(connection: Connection, since_ms: int) -> dict[tuple[str, str], int]:
    """How many outages of each box and camera began since then that were no part of a larger one."""
    query = (
        select(outages.c.kind, outages.c.ref, func.count().label("n"))
        .where(outages.c.start_ms > since_ms, outages.c.parent.is_(None))
        .group_by(outages.c.kind, outages.c.ref)
    )
    return {(row.kind, row.ref): row.n for row in connection.execute(query)}


def begin_outage(connection: Connection, outage: Outage, now_ms: int) -> None:
    """Write an outage that begins."""
    connection.execute(insert(outages).values(_values(outage)))
    tell(connection, "outage", outage.id, now_ms)


def change_outage(connection: Connection, outage: Outage, now_ms: int) -> None:
    """Write an outage's new state, members, end or telling."""
    connection.execute(update(outages).where(outages.c.id == outage.id).values(_values(outage)))
    tell(connection, "outage", outage.id, now_ms)


def let_members_go(connection: Connection, outage: str, now_ms: int) -> None:
    """The outage is over; people were told of the boxes that are still away."""
    still = (outages.c.parent == outage, outages.c.end_ms.is_(None), outages.c.told_ms.is_(None))
    connection.execute(update(outages).where(outages.c.kind == "box", *still).values(told_ms=now_ms))


def hints_within(connection: Connection, outage: str) -> dict[str, int]:
    """Why the members of an outage were away, as far as they were heard again: how many each."""
    query = (
        select(outages.c.hint, func.count().label("n"))
        .where(outages.c.parent == outage, outages.c.kind == "box", outages.c.hint.is_not(None))
        .group_by(outages.c.hint)
    )
    return {row.hint: row.n for row in connection.execute(query)}


def _values(outage: Outage) -> dict[str, Any]:
    values = {name: getattr(outage, name) for name in Outage.__dataclass_fields__}
    return {**values, "members": list(outage.members)}


_OUTAGE = [outages.c[name] for name in Outage.__dataclass_fields__]
