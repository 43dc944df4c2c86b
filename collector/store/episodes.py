"""Episodes as projected from their events, in whatever order these arrive.

Each step commutes with every other: start is the least start named, rectangle, zones and score grow while the episode
goes on, and its end overrides them for good. So the same messages lead to the same row in any order. A message can come
under a second number: a box that reads a corrupt outbox into a new one sends it again.
"""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from collector.store import left_behind
from collector.store.boxes import ensure_camera
from collector.store.database import insert_ignoring
from collector.store.errors import Conflict
from collector.store.schema import camera_states, episodes, losses
from vonggac.wire.messages import (
    CameraState,
    DataLost,
    Envelope,
    EpisodeEnded,
    EpisodeStarted,
    EpisodeUpdated,
    Rectangle,
    Tamper,
)

_CLOCKS = ("synced", "holdover", "unset")


def project(
    connection: Connection,
    envelope: Envelope,
    body: EpisodeStarted | EpisodeUpdated | EpisodeEnded,
    received_ms: int,
) -> None:
    """Fold one message into its episode's row. Raises Conflict when the episode is another camera's."""
    camera = ensure_camera(connection, envelope.box, body.camera, received_ms)
    row = connection.execute(select(episodes).where(episodes.c.id == body.episode)).one_or_none()
    if row is None:
        connection.execute(insert(episodes).values(**_first(envelope, body, camera, received_ms)))
        return
    if row.camera != camera:
        raise Conflict(f"episode {body.episode} belongs to camera {row.camera}")
    values: dict[str, Any] = {
        "received_ms": max(row.received_ms, received_ms),
        "first_received_ms": min(row.first_received_ms, received_ms),
        "clock": max(row.clock, envelope.clock, key=_CLOCKS.index),
        "outbox": envelope.outbox,
        "rules_ms": None,  # it says more now: the alert rules look again
    }
    if isinstance(body, EpisodeEnded):
        values |= _ended(body) | {"snapshot_sha256": body.snapshot_sha256 or row.snapshot_sha256}
    elif isinstance(body, EpisodeStarted):
        values["snapshot_sha256"] = row.snapshot_sha256 or body.snapshot_sha256
    if (row.end_ms is None or row.reason == left_behind.REASON) and not isinstance(body, EpisodeEnded):
        values |= _grown(row, body) | {"end_ms": None, "reason": None}
    connection.execute(update(episodes).where(episodes.c.id == body.episode).values(**values))


def _first(
    envelope: Envelope, body: EpisodeStarted | EpisodeUpdated | EpisodeEnded, camera: str, received_ms: int
) -> dict[str, Any]:
    start_ms = body.last_ms if isinstance(body, EpisodeUpdated) else body.start_ms
    values: dict[str, Any] = {
        "id": body.episode,
        "box": envelope.box,
        "camera": camera,
        "start_ms": start_ms,
        "last_ms": start_ms,
        "end_ms": None,
        "rectangle": list(body.box),
        "zones": sorted(set(body.zones)),
        "score": body.score,
        "kind": "motion" if isinstance(body, EpisodeUpdated) else body.kind,
        "reason": None,
        "path": [],
        "snapshot_sha256": None if isinstance(body, EpisodeUpdated) else body.snapshot_sha256,
        "clock": envelope.clock,
        "outbox": envelope.outbox,
        "first_received_ms": received_ms,
        "received_ms": received_ms,
    }
    return values | (_ended(body) if isinstance(body, EpisodeEnded) else {})


def _ended(body: EpisodeEnded) -> dict[str, Any]:
    return {
        "start_ms": body.start_ms,
        "last_ms": body.end_ms,
        "end_ms": body.end_ms,
        "rectangle": list(body.box),
        "zones": sorted(set(body.zones)),
        "score": body.score,
        "kind": body.kind,
        "reason": body.reason,
        "path": [[point.t_ms, point.x, point.y] for point in body.path],
    }


def _grown(row: Row[Any], body: EpisodeStarted | EpisodeUpdated) -> dict[str, Any]:
    at_ms = body.last_ms if isinstance(body, EpisodeUpdated) else body.start_ms
    values: dict[str, Any] = {
        "start_ms": min(row.start_ms, at_ms),
        "last_ms": max(row.last_ms, at_ms),
        "rectangle": list(_union(tuple(row.rectangle), body.box)),
        "zones": sorted({*row.zones, *body.zones}),
        "score": max(row.score, body.score),
    }
    if isinstance(body, EpisodeStarted):
        values["kind"] = body.kind
    return values


def _union(one: Rectangle, other: Rectangle) -> Rectangle:
    return (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]))


def record_camera_state(
    connection: Connection, envelope: Envelope, body: CameraState | Tamper, received_ms: int
) -> str:
    """One change of a camera's picture; the newest `since_ms` of each aspect is the present. Returns the camera."""
    camera = ensure_camera(connection, envelope.box, body.camera, received_ms)
    if isinstance(body, Tamper):
        aspect, bad, reason = body.kind, body.active, None
    else:
        aspect, bad, reason = "picture", body.state == "down", body.reason
    insert_ignoring(
        connection,
        camera_states,
        message_id=envelope.id,
        camera=camera,
        aspect=aspect,
        bad=bad,
        since_ms=body.since_ms,
        reason=reason,
        received_ms=received_ms,
    )
    return camera


def record_loss(connection: Connection, envelope: Envelope, body: DataLost, received_ms: int) -> None:
    """What will not come, as the box says."""
    insert_ignoring(
        connection,
        losses,
        message_id=envelope.id,
        box=envelope.box,
        what=body.what,
        reason=body.reason,
        camera=body.camera,
        episode=body.episode,
        clip=body.clip,
        size_bytes=body.size_bytes,
        wall_ms=envelope.wall_ms,
        received_ms=received_ms,
    )
