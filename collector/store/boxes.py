"""Boxes and their cameras: who is registered, and what they last said of themselves.

A status or heartbeat can be delivered twice and late: an older one never overwrites a newer one of the same boot.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, insert, or_, select, update

from collector.store.database import insert_ignoring, upsert
from collector.store.schema import boxes, cameras, heartbeat_history, heartbeats
from vonggac.wire.messages import Birth, Envelope, Offline


@dataclass(frozen=True, kw_only=True)
class Box:
    """A registered box. `connected` and all below it are None until its first birth."""

    id: str
    site: str
    commune: str
    created_ms: int
    removed_ms: int | None
    connected: bool | None
    status_ms: int | None
    boot_id: str | None
    agent_version: str | None
    config_hash: str | None


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera that its box named in a birth or an event; `id` is `<box>/<name>`."""

    id: str
    box: str
    name: str
    has_sub: bool | None
    configured: bool
    first_seen_ms: int


_BOX = [boxes.c[name] for name in Box.__dataclass_fields__]
_MAY_SPEAK = and_(boxes.c.removed_ms.is_(None), boxes.c.revoked_ms.is_(None))
_CAMERA = [cameras.c[name] for name in Camera.__dataclass_fields__]


def camera_id(box: str, name: str) -> str:
    """`<box>/<name>`"""
    return f"{box}/{name}"


def add_box(connection: Connection, box: str, site: str, commune: str, secret_hash: str, now_ms: int) -> bool:
    """Register a box, or one that was removed anew; False when it is registered already."""
    row = connection.execute(select(boxes.c.removed_ms).where(boxes.c.id == box)).one_or_none()
    values = {"site": site, "commune": commune, "secret_hash": secret_hash}
    if row is None:
        connection.execute(insert(boxes).values(id=box, created_ms=now_ms, **values))
        return True
    if row.removed_ms is None:
        return False
    connection.execute(update(boxes).where(boxes.c.id == box).values(removed_ms=None, revoked_ms=None, **values))
    return True


def remove_box(connection: Connection, box: str, now_ms: int) -> bool:
    """It may no longer connect; its history stays. False when it was not registered."""
    done = connection.execute(
        update(boxes).where(boxes.c.id == box, boxes.c.removed_ms.is_(None)).values(removed_ms=now_ms, connected=False)
    )
    return done.rowcount == 1


def list_boxes(connection: Connection, *, removed: bool = False) -> list[Box]:
    """All registered boxes by id; with `removed` those as well that were taken out."""
    query = select(*_BOX).order_by(boxes.c.id)
    if not removed:
        query = query.where(boxes.c.removed_ms.is_(None))
    return [Box(**row._mapping) for row in connection.execute(query)]


def box_secrets(connection: Connection) -> dict[str, str]:
    """The bcrypt hash of every box that may connect by a secret."""
    query = select(boxes.c.id, boxes.c.secret_hash).where(_MAY_SPEAK, boxes.c.secret_hash != "").order_by(boxes.c.id)
    return {row.id: row.secret_hash for row in connection.execute(query)}


def box_secret(connection: Connection, box: str) -> str | None:
    """The same of one box."""
    query = select(boxes.c.secret_hash).where(boxes.c.id == box, _MAY_SPEAK, boxes.c.secret_hash != "")
    return connection.scalar(query)


def is_registered(connection: Connection, box: str) -> bool:
    """May this box speak?"""
    return connection.scalar(select(boxes.c.id).where(boxes.c.id == box, _MAY_SPEAK)) is not None


def who_may_speak(connection: Connection, asked: Collection[str]) -> set[str]:
    """Those of these boxes that may."""
    return set(connection.scalars(select(boxes.c.id).where(boxes.c.id.in_(sorted(asked)), _MAY_SPEAK)))


def is_known(connection: Connection, box: str) -> bool:
    """Is this box registered, revoked or not?"""
    return connection.scalar(select(boxes.c.id).where(boxes.c.id == box, boxes.c.removed_ms.is_(None))) is not None


def list_cameras(connection: Connection, *, box: str | None = None, configured: bool = False) -> list[Camera]:
    """Cameras by id, of one box or all; with `configured` only those that the last birth named."""
    query = select(*_CAMERA).order_by(cameras.c.id)
    if box is not None:
        query = query.where(cameras.c.box == box)
    if configured:
        query = query.where(cameras.c.configured)
    return [Camera(**row._mapping) for row in connection.execute(query)]


def find_camera(connection: Connection, camera: str) -> Camera | None:
    """One camera, configured or not."""
    row = connection.execute(select(*_CAMERA).where(cameras.c.id == camera)).one_or_none()
    return None if row is None else Camera(**row._mapping)


def ensure_camera(connection: Connection, box: str, name: str, now_ms: int) -> str:
    """The camera's id; an event may name a camera before any birth did."""
    ensure_cameras(connection, {camera_id(box, name): now_ms})
    return camera_id(box, name)


def ensure_cameras(connection: Connection, named: Mapping[str, int]) -> None:
    """Cameras by id, each with when it was named."""
    known = set(connection.scalars(select(cameras.c.id).where(cameras.c.id.in_(sorted(named)))))
    for camera in sorted(named.keys() - known):
        box, _, name = camera.partition("/")
        insert_ignoring(
            connection, cameras, id=camera, box=box, name=name, first_seen_ms=named[camera], configured=True,
            has_sub=None,
        )  # fmt: skip


def record_birth(connection: Connection, envelope: Envelope, birth: Birth, received_ms: int) -> None:
    """The agent is connected, with these cameras."""
    connection.execute(
        update(boxes)
        .where(boxes.c.id == envelope.box)
        .values(
            connected=True,
            status_ms=received_ms,
            offline_reason=None,
            boot_id=envelope.boot_id,
            agent_version=birth.agent_version,
            config_hash=birth.config_hash,
        )
    )
    named = {camera.name: camera.has_sub for camera in birth.cameras}
    connection.execute(
        update(cameras).where(cameras.c.box == envelope.box).values(configured=cameras.c.name.in_(sorted(named)))
    )
    for name, has_sub in named.items():
        camera = ensure_camera(connection, envelope.box, name, received_ms)
        connection.execute(update(cameras).where(cameras.c.id == camera).values(has_sub=has_sub))


def record_offline(connection: Connection, envelope: Envelope, offline: Offline, received_ms: int) -> None:
    """The agent left, or the broker lost it. A last will is as old as its connection: it says nothing of the boot."""
    connection.execute(
        update(boxes)
        .where(boxes.c.id == envelope.box)
        .values(connected=False, status_ms=received_ms, offline_reason=offline.reason)
    )


def says_nothing_new(connection: Connection, envelope: Envelope, body: Birth | Offline) -> bool:
    """Is this status, retained by the broker, the one that is here already?"""
    row = connection.execute(
        select(boxes.c.connected, boxes.c.boot_id, boxes.c.config_hash).where(boxes.c.id == envelope.box)
    ).one()
    if isinstance(body, Birth):
        return (row.connected, row.boot_id, row.config_hash) == (True, envelope.boot_id, body.config_hash)
    return row.connected is False


def record_heartbeat(connection: Connection, envelope: Envelope, body: dict[str, object], received_ms: int) -> bool:
    """Keep it as the latest and in the history; False when it is older than what is here."""
    newer = or_(
        heartbeats.c.received_ms > received_ms,
        and_(heartbeats.c.boot_id == envelope.boot_id, heartbeats.c.mono_ms >= envelope.mono_ms),
    )
    known = connection.scalar(select(heartbeats.c.box).where(heartbeats.c.box == envelope.box, newer))
    if known is not None:
        return False
    upsert(
        connection,
        heartbeats,
        box=envelope.box,
        received_ms=received_ms,
        wall_ms=envelope.wall_ms,
        mono_ms=envelope.mono_ms,
        boot_id=envelope.boot_id,
        clock=envelope.clock,
        body=body,
    )
    connection.execute(
        insert(heartbeat_history).values(box=envelope.box, received_ms=received_ms, boot_id=envelope.boot_id, body=body)
    )
    return True
