"""Episodes as projected from their events, in whatever order these arrive.

Each step commutes with every other: start is the first start named, rectangle, zones and score grow while the episode
goes on, and its end overrides them for good. So the same messages lead to the same row in any order. First and last are
by the monotonic clock of the boot; boots.py makes the best known times of them. A message can come
under a second number: a box that reads a corrupt outbox into a new one sends it again.
"""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from collector.store import left_behind
from collector.store.boots import UNKNOWN, Calendar, episode_times, moment, state_times
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

_CLOCKS = (UNKNOWN, "synced", "holdover", "unset")


def project(
    connection: Connection,
    envelope: Envelope,
    body: EpisodeStarted | EpisodeUpdated | EpisodeEnded,
    received_ms: int,
    calendar: Calendar | None = None,
) -> None:
    """Fold one message into its episode's row. Raises Conflict when the episode is another camera's."""
    camera = ensure_camera(connection, envelope.box, body.camera, received_ms)
    row = connection.execute(select(episodes).where(episodes.c.id == body.episode)).one_or_none()
    calendar = calendar or Calendar(connection, envelope.box)
    if row is None:
        values = _first(envelope, body, camera, received_ms)
        connection.execute(insert(episodes).values(**values | episode_times(calendar, values)))
        return
    if row.camera != camera:
        raise Conflict(f"episode {body.episode} belongs to camera {row.camera}")
    values = {
        "received_ms": max(row.received_ms, received_ms),
        "first_received_ms": min(row.first_received_ms, received_ms),
        "outbox": envelope.outbox,
        "rules_ms": None,  # it says more now: the alert rules look again
    }
    if isinstance(body, EpisodeEnded):
        values |= _ended(envelope, body, received_ms) | {"snapshot_sha256": body.snapshot_sha256 or row.snapshot_sha256}
        if _by_earlier_boot(body):
            values["clock"] = row.clock
    elif isinstance(body, EpisodeStarted):
        values["snapshot_sha256"] = row.snapshot_sha256 or body.snapshot_sha256
    if (row.end_ms is None or row.reason == left_behind.REASON) and not isinstance(body, EpisodeEnded):
        values |= _grown(row, envelope, body, received_ms) | {"end_ms": None, "reason": None}
    elif row.reason == "cut" and not isinstance(body, EpisodeEnded):
        values["clock"] = max(row.clock, envelope.clock, key=_CLOCKS.index)  # whoever told the end did not know
    now = {**row._mapping, **values}
    if now["box_start_ms"] is not None:
        values |= episode_times(calendar, now)
    connection.execute(update(episodes).where(episodes.c.id == body.episode).values(**values))


def _first(
    envelope: Envelope, body: EpisodeStarted | EpisodeUpdated | EpisodeEnded, camera: str, received_ms: int
) -> dict[str, Any]:
    at = moment(envelope, body.last_ms if isinstance(body, EpisodeUpdated) else body.start_ms, received_ms)
    values: dict[str, Any] = {
        "id": body.episode,
        "box": envelope.box,
        "camera": camera,
        "boot_id": at.boot_id,
        "box_start_ms": at.wall_ms,
        "box_last_ms": at.wall_ms,
        "start_mono_ms": at.mono_ms,
        "last_mono_ms": at.mono_ms,
        "end_ms": None,
        "rectangle": list(body.box),
        "zones": sorted(set(body.zones)),
        "score": body.score,
        "kind": body.kind or "motion",
        "reason": None,
        "path": [],
        "snapshot_sha256": None if isinstance(body, EpisodeUpdated) else body.snapshot_sha256,
        "clock": envelope.clock,
        "outbox": envelope.outbox,
        "first_received_ms": received_ms,
        "received_ms": received_ms,
    }
    return values | (_ended(envelope, body, received_ms) if isinstance(body, EpisodeEnded) else {})


def _by_earlier_boot(body: EpisodeEnded) -> bool:
    return body.boot_id is not None and body.start_mono_ms is not None


def _ended(envelope: Envelope, body: EpisodeEnded, received_ms: int) -> dict[str, Any]:
    start_mono_ms, boot_id = moment(envelope, body.start_ms, received_ms).mono_ms, envelope.boot_id
    if body.boot_id is not None and body.start_mono_ms is not None:
        start_mono_ms, boot_id = body.start_mono_ms, body.boot_id
    return {
        "boot_id": boot_id,
        "box_start_ms": body.start_ms,
        "box_last_ms": body.end_ms,
        "start_mono_ms": start_mono_ms,
        "last_mono_ms": start_mono_ms + body.end_ms - body.start_ms,
        "end_ms": body.end_ms,
        "clock": UNKNOWN if _by_earlier_boot(body) else envelope.clock,
        "rectangle": list(body.box),
        "zones": sorted(set(body.zones)),
        "score": body.score,
        "kind": body.kind,
        "reason": body.reason,
        "path": [[point.t_ms, point.x, point.y] for point in body.path],
    }


def _grown(
    row: Row[Any], envelope: Envelope, body: EpisodeStarted | EpisodeUpdated, received_ms: int
) -> dict[str, Any]:
    at = moment(envelope, body.last_ms if isinstance(body, EpisodeUpdated) else body.start_ms, received_ms)
    here = (at.mono_ms, at.wall_ms)
    if row.boot_id is None:  # from before boots were known here: the box's wall clock is all there is
        first, last = (None, min(row.start_ms, at.wall_ms)), (None, max(row.last_ms, at.wall_ms))
    elif row.boot_id == at.boot_id:
        first = min((row.start_mono_ms, row.box_start_ms), here)
        last = max((row.last_mono_ms, row.box_last_ms), here)
    else:
        first, last = (row.start_mono_ms, row.box_start_ms), (row.last_mono_ms, row.box_last_ms)
    values: dict[str, Any] = {
        "box_start_ms": first[1],
        "box_last_ms": last[1],
        "start_mono_ms": first[0],
        "last_mono_ms": last[0],
        "clock": max(row.clock, envelope.clock, key=_CLOCKS.index),
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
    connection: Connection,
    envelope: Envelope,
    body: CameraState | Tamper,
    received_ms: int,
    calendar: Calendar | None = None,
) -> str:
    """One change of a camera's picture; the newest `since_ms` of each aspect is the present. Returns the camera."""
    camera = ensure_camera(connection, envelope.box, body.camera, received_ms)
    at = moment(envelope, body.since_ms, received_ms)
    values: dict[str, Any] = {
        "boot_id": at.boot_id,
        "mono_ms": at.mono_ms,
        "box_since_ms": at.wall_ms,
        "clock": at.clock,
        "received_ms": received_ms,
    }
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
        **values,
        **state_times(calendar or Calendar(connection, envelope.box), values),
        reason=reason,
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
