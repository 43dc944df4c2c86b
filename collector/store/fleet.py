"""What the fleet's watch reads and writes: what was heard of boxes and cameras, their present states, their outages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from collector.store.database import upsert
from collector.store.incidents import tell
from collector.store.schema import boxes, camera_states, cameras, fleet_states, heartbeats, maintenance, outages


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
    """A time in which a box or camera was not there; open while `end_ms` is None. `told_ms`: people were told."""

    id: str
    kind: str
    ref: str
    state: str
    reason: str | None
    start_ms: int
    end_ms: int | None
    told_ms: int | None


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
    query = select(maintenance.c.kind, maintenance.c.ref).where(maintenance.c.until_ms > now_ms)
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
    columns = [outages.c[name] for name in Outage.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(outages.c.end_ms.is_(None))).mappings()
    return {(row["kind"], row["ref"]): Outage(**row) for row in rows}


def begin_outage(connection: Connection, outage: Outage, members: Iterable[str], now_ms: int) -> None:
    """Write an outage that begins."""
    fields = {name: getattr(outage, name) for name in Outage.__dataclass_fields__}
    connection.execute(insert(outages).values(**fields, members=list(members)))
    tell(connection, "outage", outage.id, now_ms)


def change_outage(connection: Connection, outage: Outage, now_ms: int) -> None:
    """Write an outage's new state, end or telling."""
    connection.execute(
        update(outages)
        .where(outages.c.id == outage.id)
        .values(state=outage.state, reason=outage.reason, end_ms=outage.end_ms, told_ms=outage.told_ms)
    )
    tell(connection, "outage", outage.id, now_ms)
