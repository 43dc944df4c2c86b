"""Clips: announced by an event, stored by an upload, in either order; and the uploads that are under way.

`announced` → `stored` → `deleted`; `lost` when the box said that it will not come, `left_behind` when it stood on a
card that is no longer in the box (left_behind.py). Of either the bytes may still come.
A clip is `stored` only after its file is whole, compared, synced and renamed: see collector/ingest/clip_store.py.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, or_, select, tuple_, update

from collector.store import left_behind
from collector.store.boots import UNKNOWN, Calendar, clip_times, moment
from collector.store.boxes import ensure_camera
from collector.store.errors import Conflict
from collector.store.schema import clips, incident_episodes, losses, uploads
from vonggac.wire.messages import ClipReady, DataLost, Envelope


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip that was announced or whose bytes came; what only clip_ready tells is None before it."""

    id: str
    box: str
    sha256: str
    size_bytes: int
    state: str
    episode: str | None
    camera: str | None
    first_frame_ms: int | None
    dated: str | None
    boot_id: str | None
    box_first_frame_ms: int | None
    first_frame_mono_ms: int | None
    duration_ms: int | None
    codec: str | None
    width: int | None
    height: int | None
    truncated: bool
    note: str | None
    path: str | None
    stored_ms: int | None
    held: bool


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An unfinished upload; its bytes are `uploads/<id>.part`, `path` is where the whole file will stand."""

    id: str
    box: str
    clip: str
    sha256: str
    size_bytes: int
    path: str
    created_ms: int


_CLIP = [clips.c[name] for name in Clip.__dataclass_fields__]
_UPLOAD = [uploads.c[name] for name in Upload.__dataclass_fields__]


def find_clip(connection: Connection, clip: str) -> Clip | None:
    """One clip."""
    row = connection.execute(select(*_CLIP).where(clips.c.id == clip)).one_or_none()
    return None if row is None else Clip(**row._mapping)


def list_clips(connection: Connection, *, since_ms: int = 0, limit: int = 100) -> list[Clip]:
    """The newest clips, by when they begin."""
    begin = func.coalesce(clips.c.first_frame_ms, clips.c.stored_ms)
    query = select(*_CLIP).where(begin >= since_ms).order_by(begin.desc(), clips.c.id.desc()).limit(limit)
    return [Clip(**row._mapping) for row in connection.execute(query)]


def announce(
    connection: Connection,
    envelope: Envelope,
    body: ClipReady,
    received_ms: int,
    calendar: Calendar | None = None,
) -> str | None:
    """Fold a clip_ready in. Returns the path of a stored file that turns out to be another one and must go, or None.

    Raises Conflict for a clip of another box.
    """
    row = connection.execute(select(clips).where(clips.c.id == body.clip)).one_or_none()
    told = {
        "announced_ms": received_ms,
        "outbox": envelope.outbox,
        "sha256": body.sha256,
        "size_bytes": body.size_bytes,
        "episode": body.episode,
        "camera": ensure_camera(connection, envelope.box, body.camera, received_ms),
        **_first_frame(calendar or Calendar(connection, envelope.box), envelope, body, received_ms),
        "duration_ms": body.duration_ms,
        "codec": body.codec,
        "width": body.width,
        "height": body.height,
        "truncated": body.truncated,
        "note": body.note,
    }
    if row is None:
        lost = connection.scalar(
            select(losses.c.message_id).where(losses.c.clip == body.clip, losses.c.box == envelope.box)
        )
        state = "announced" if lost is None else "lost"
        connection.execute(insert(clips).values(id=body.clip, box=envelope.box, state=state, held=False, **told))
        return None
    if row.box != envelope.box:
        raise Conflict(f"clip {body.clip} belongs to another box")
    wrong_file: str | None = None
    if row.state == "stored" and row.sha256 == body.sha256:
        del told["size_bytes"]  # the file that is here was measured
    elif row.state == "stored" and row.held:
        raise Conflict(f"clip {body.clip} is under legal hold and is another file than this")
    elif row.state == left_behind.REASON:
        told["state"] = "announced"
    elif row.state == "stored":
        wrong_file = row.path
        told |= {"state": "announced", "path": None, "stored_ms": None}
    connection.execute(update(clips).where(clips.c.id == body.clip).values(**told))
    return wrong_file


def _first_frame(calendar: Calendar, envelope: Envelope, body: ClipReady, received_ms: int) -> dict[str, Any]:
    at = moment(envelope, body.first_frame_ms, received_ms)
    values: dict[str, Any] = {"boot_id": at.boot_id, "first_frame_mono_ms": at.mono_ms, "clock": at.clock}
    if body.boot_id is not None and body.first_frame_mono_ms is not None:
        clock = at.clock if body.boot_id == at.boot_id else UNKNOWN
        values = {"boot_id": body.boot_id, "first_frame_mono_ms": body.first_frame_mono_ms, "clock": clock}
    values["box_first_frame_ms"] = body.first_frame_ms
    return values | clip_times(calendar, values | {"announced_ms": received_ms})


def lose(connection: Connection, envelope: Envelope, body: DataLost) -> None:
    """The box says that the clip will not come."""
    connection.execute(
        update(clips)
        .where(
            clips.c.id == body.clip, clips.c.box == envelope.box, clips.c.state.in_(("announced", left_behind.REASON))
        )
        .values(state="lost")
    )


# --- uploads -----------------------------------------------------------------------------------------------------


def begin_upload(connection: Connection, upload: Upload) -> None:
    """Note an upload, in place of an earlier one of the same clip."""
    connection.execute(delete(uploads).where(uploads.c.box == upload.box, uploads.c.clip == upload.clip))
    connection.execute(insert(uploads).values({name: getattr(upload, name) for name in Upload.__dataclass_fields__}))


def upload_of_clip(connection: Connection, box: str, clip: str) -> Upload | None:
    """The unfinished upload of a clip."""
    row = connection.execute(select(*_UPLOAD).where(uploads.c.box == box, uploads.c.clip == clip)).one_or_none()
    return None if row is None else Upload(**row._mapping)


def list_uploads(connection: Connection) -> list[Upload]:
    """All unfinished uploads, oldest first."""
    return [Upload(**row._mapping) for row in connection.execute(select(*_UPLOAD).order_by(uploads.c.created_ms))]


def drop_upload(connection: Connection, upload: str) -> None:
    """The upload is over, either way."""
    connection.execute(delete(uploads).where(uploads.c.id == upload))


def finish_upload(connection: Connection, upload: Upload, stored_ms: int) -> None:
    """The file stands at `upload.path`, whole and synced: the clip is stored."""
    stored = {"state": "stored", "path": upload.path, "stored_ms": stored_ms, "sha256": upload.sha256}
    done = connection.execute(
        update(clips)
        .where(clips.c.id == upload.clip, clips.c.box == upload.box)
        .values(size_bytes=upload.size_bytes, deleted_ms=None, **stored)
    )
    if done.rowcount == 0:
        connection.execute(
            insert(clips).values(
                id=upload.clip, box=upload.box, size_bytes=upload.size_bytes, truncated=False, held=False, **stored
            )
        )
    drop_upload(connection, upload.id)


# --- retention ---------------------------------------------------------------------------------------------------


def stored_bytes(connection: Connection) -> int:
    """Bytes of all clips that are here."""
    return int(connection.scalar(select(func.coalesce(func.sum(clips.c.size_bytes), 0)).where(_stored())) or 0)


def oldest_stored(
    connection: Connection, limit: int, *, before_ms: int | None = None, after: Clip | None = None
) -> list[Clip]:
    """Clips that may be deleted, oldest arrival first, from behind `after` on; none under legal hold."""
    query = select(*_CLIP).where(_stored(), ~clips.c.held).order_by(clips.c.stored_ms, clips.c.id).limit(limit)
    if before_ms is not None:
        query = query.where(clips.c.stored_ms < before_ms)
    if after is not None:
        query = query.where(tuple_(clips.c.stored_ms, clips.c.id) > tuple_(after.stored_ms, after.id))
    return [Clip(**row._mapping) for row in connection.execute(query)]


def mark_deleted(connection: Connection, clip: str, now_ms: int) -> bool:
    """Say that the file goes; False when it is held or gone by now. The row is changed before the file is unlinked."""
    done = connection.execute(
        update(clips)
        .where(clips.c.id == clip, _stored(), ~clips.c.held)
        .values(state="deleted", deleted_ms=now_ms, path=None)
    )
    return done.rowcount == 1


def set_held(connection: Connection, ref: str, held: bool) -> list[str]:
    """Put under legal hold, or release, a clip, or every clip of an episode or incident; returns those that changed."""
    in_incident = select(incident_episodes.c.episode).where(incident_episodes.c.incident == ref)
    of_it = or_(clips.c.id == ref, clips.c.episode == ref, clips.c.episode.in_(in_incident))
    not_gone = clips.c.state.not_in(("deleted", "lost"))
    query = update(clips).where(of_it, not_gone, clips.c.held != held).values(held=held).returning(clips.c.id)
    return list(connection.scalars(query))


def held_episodes() -> Select[tuple[str]]:
    """A query for the episodes of which a clip is under legal hold."""
    return select(clips.c.episode).where(clips.c.held, clips.c.episode.is_not(None))


def _stored() -> ColumnElement[bool]:
    return clips.c.state == "stored"
