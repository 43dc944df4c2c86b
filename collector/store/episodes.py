"""Episodes as projected from their events, in whatever order these arrive.

Each step commutes with every other: start is the first start named, rectangle, zones and score grow while the episode
goes on, and its end overrides them for good. So the same messages lead to the same row in any order. First and last are
by the monotonic clock of the boot; boots.py makes the best known times of them. A message can come
under a second number: a box that reads a corrupt outbox into a new one sends it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from collector.store import left_behind
from collector.store.boots import UNKNOWN, Calendar, Calendars, episode_times, moment, state_times
from collector.store.boxes import camera_id, ensure_camera, ensure_cameras
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


@dataclass(frozen=True)
class Told:
    """A message about an episode, and when it came."""

    envelope: Envelope
    body: EpisodeStarted | EpisodeUpdated | EpisodeEnded
    received_ms: int

    @property
    def camera(self) -> str:
        """The id of the camera that it names."""
        return camera_id(self.envelope.box, self.body.camera)


def project(connection: Connection, told: Sequence[Told], calendars: Calendars | None = None) -> None:
    """Fold messages into their episodes' rows. Raises Conflict when an episode is another camera's."""
    if not told:
        return
    calendars = calendars or Calendars(connection)
    ensure_cameras(connection, {each.camera: each.received_ms for each in reversed(told)})
    query = select(episodes).where(episodes.c.id.in_(sorted({each.body.episode for each in told})))
    rows: dict[str, dict[str, Any]] = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    known = rows.keys() | set()
    for each in told:
        calendar = calendars.of(each.envelope.box)
        row = rows.get(each.body.episode)
        if row is None:
            values = _first(each.envelope, each.body, each.camera, each.received_ms)
            rows[each.body.episode] = dict.fromkeys(_TOLD) | values | episode_times(calendar, values)
        elif row["camera"] != each.camera:
            raise Conflict(f"episode {each.body.episode} belongs to camera {row['camera']}")
        else:
            row |= _folded(row, each, calendar)
    new = [row for name, row in rows.items() if name not in known]
    if new:
        connection.execute(insert(episodes), new)
    if known:
        connection.execute(_TOLD_AGAIN, [{f"new_{name}": rows[episode][name] for name in _TOLD} for episode in known])


_TOLD = (
    "id", "box", "camera", "start_ms", "last_ms", "end_ms", "dated", "earliest_ms", "latest_ms", "boot_id",
    "box_start_ms", "box_last_ms", "start_mono_ms", "last_mono_ms", "rectangle", "zones", "score", "kind", "reason",
    "path", "snapshot_sha256", "clock", "outbox", "first_received_ms", "received_ms", "rules_ms",
)  # fmt: skip
"""The columns that come of messages; whatever else the row has is left alone."""
_TOLD_AGAIN = (
    update(episodes)
    .where(episodes.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _TOLD if name not in ("id", "box", "camera")})
)


def _folded(row: Mapping[str, Any], told: Told, calendar: Calendar) -> dict[str, Any]:
    """What the message changes in a row that is there."""
    envelope, body = told.envelope, told.body
    values: dict[str, Any] = {
        "received_ms": max(row["received_ms"], told.received_ms),
        "first_received_ms": min(row["first_received_ms"], told.received_ms),
        "outbox": envelope.outbox,
        "rules_ms": None,  # it says more now: the alert rules look again
    }
    if isinstance(body, EpisodeEnded):
        values |= _ended(envelope, body, told.received_ms)
        values["snapshot_sha256"] = body.snapshot_sha256 or row["snapshot_sha256"]
        if _by_earlier_boot(body):
            values["clock"] = row["clock"]
    elif isinstance(body, EpisodeStarted):
        values["snapshot_sha256"] = row["snapshot_sha256"] or body.snapshot_sha256
    if (row["end_ms"] is None or row["reason"] == left_behind.REASON) and not isinstance(body, EpisodeEnded):
        values |= _grown(row, envelope, body, told.received_ms) | {"end_ms": None, "reason": None}
    elif row["reason"] == "cut" and not isinstance(body, EpisodeEnded):
        values["clock"] = max(row["clock"], envelope.clock, key=_CLOCKS.index)  # whoever told the end did not know
    now = {**row, **values}
    if now["box_start_ms"] is not None:
        values |= episode_times(calendar, now)
    return values


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
    row: Mapping[str, Any], envelope: Envelope, body: EpisodeStarted | EpisodeUpdated, received_ms: int
) -> dict[str, Any]:
    at = moment(envelope, body.last_ms if isinstance(body, EpisodeUpdated) else body.start_ms, received_ms)
    here = (at.mono_ms, at.wall_ms)
    if row["boot_id"] is None:  # from before boots were known here: the box's wall clock is all there is
        first, last = (None, min(row["start_ms"], at.wall_ms)), (None, max(row["last_ms"], at.wall_ms))
    elif row["boot_id"] == at.boot_id:
        first = min((row["start_mono_ms"], row["box_start_ms"]), here)
        last = max((row["last_mono_ms"], row["box_last_ms"]), here)
    else:
        first, last = (row["start_mono_ms"], row["box_start_ms"]), (row["last_mono_ms"], row["box_last_ms"])
    values: dict[str, Any] = {
        "box_start_ms": first[1],
        "box_last_ms": last[1],
        "start_mono_ms": first[0],
        "last_mono_ms": last[0],
        "clock": max(row["clock"], envelope.clock, key=_CLOCKS.index),
        "rectangle": list(_union(tuple(row["rectangle"]), body.box)),
        "zones": sorted({*row["zones"], *body.zones}),
        "score": max(row["score"], body.score),
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
        aspect, bad, reason, code = body.kind, body.active, None, None
    else:
        aspect, bad, reason, code = "picture", body.state == "down", body.reason, body.code
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
        code=code,
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
