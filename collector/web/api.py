"""The JSON API under /api/v1: reading, strictly validated, and the acknowledgement."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from collector.alerts.incidents import Outcome
from collector.store import desk as rows
from collector.store.clips import Clip, find_clip
from collector.store.desk import Wanted
from collector.store.overview import list_boxes
from collector.store.reach import Place, place_of
from collector.store.search import Sought, find_episodes
from collector.web import shapes
from collector.web.access import refuse, require_reach
from collector.web.auditing import note, note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import Query, cursor, require_uuid, rfc3339
from vonggac.wire.ids import is_uuid

INCIDENT_STATES = ("new", "acknowledged", "closed")
_ASKED_EACH_TIME = (
    "private, no-cache"  # a browser may keep the bytes, and asks before it shows them: every view is noted
)


def query_of(asked: Asked, *names: str) -> Query:
    """The request's parameters, of which only these are known."""
    return Query(asked.request.query_params.multi_items(), names)


def boxes(desk: Desk, asked: Asked) -> Response:
    """Every box with its state, last heartbeat and cameras."""
    query_of(asked)
    with desk.database.read() as connection:
        found = list_boxes(connection, reach=asked.who.reach)
    return JSONResponse({"now": rfc3339(asked.now_ms), "items": [shapes.box_json(box) for box in found]})


def cameras(desk: Desk, asked: Asked) -> Response:
    """Every camera of every box."""
    query_of(asked)
    with desk.database.read() as connection:
        found = list_boxes(connection, reach=asked.who.reach)
    items = [shapes.camera_json(camera) for box in found for camera in box.cameras]
    return JSONResponse({"now": rfc3339(asked.now_ms), "items": items})


def wanted_of(asked: Asked, *more: str) -> Wanted:
    """What a list request asks for: camera, since, until, limit, after, and `state` where the route has it."""
    query = query_of(asked, "camera", "since", "until", "limit", "after", *more)
    since_ms, until_ms = query.time_ms("since"), query.time_ms("until")
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        raise Problem(400, "since: is later than until.", where="since", hint="Exchange the two.")
    return Wanted(
        camera=query.camera(),
        since_ms=since_ms,
        until_ms=until_ms,
        state=query.one_of("state", INCIDENT_STATES),
        after=query.after(),
        limit=query.limit(),
        reach=asked.who.reach,
    )


def episodes(desk: Desk, asked: Asked) -> Response:
    """Episodes, newest first; `next` continues the list, null at its end. A page may hold fewer than `limit`."""
    wanted = wanted_of(asked, "zone", "kind", "outcome")
    query = query_of(asked, *asked.request.query_params)
    sought = Sought(
        camera=wanted.camera,
        zone=query.text("zone"),
        kind=query.text("kind"),
        outcome=query.one_of("outcome", [outcome.value for outcome in Outcome]),
        since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
        reach=wanted.reach,
    )
    with desk.database.read() as connection:
        found = find_episodes(connection, sought, wanted.after, wanted.limit)
    items = [shapes.episode_json(episode) for episode in found.episodes]
    return JSONResponse({"items": items, "next": None if found.more is None else cursor(*found.more)})


def episode(desk: Desk, asked: Asked) -> Response:
    """One episode."""
    return JSONResponse(shapes.episode_json(episode_of(desk, asked)[0]))


def episode_of(desk: Desk, asked: Asked) -> tuple[rows.Episode, Place]:
    """The episode that the path names, and where; 404 where there is none within reach."""
    query_of(asked)
    name = require_uuid(asked.request.path_params["id"], "episode")
    with desk.database.read() as connection:
        found = rows.find_episode(connection, name)
    if found is None:
        raise not_found("episode", name)
    return found, require_reach(desk, asked, found.box, "episode", name)


def incidents(desk: Desk, asked: Asked) -> Response:
    """Incidents, newest first, with how many wait for somebody."""
    wanted = wanted_of(asked, "state")
    with desk.database.read() as connection:
        found, more = rows.list_incidents(connection, wanted)
        waiting = rows.waiting_in(connection, asked.who.reach)
    items = [shapes.incident_json(incident) for incident in found]
    following = None if more is None else cursor(*more)
    return JSONResponse({"items": items, "next": following, "waiting": waiting.new})


def incident(desk: Desk, asked: Asked) -> Response:
    """One incident."""
    query_of(asked)
    return JSONResponse(shapes.incident_json(incident_of(desk, asked)))


def incident_of(desk: Desk, asked: Asked) -> rows.Incident:
    """The incident in the path, which is there and within reach."""
    name = require_uuid(asked.request.path_params["id"], "incident")
    with desk.database.read() as connection:
        found = rows.find_incident(connection, name)
    if found is None:
        raise not_found("incident", name)
    require_reach(desk, asked, found.box, "incident", name)
    return found


def acknowledge(desk: Desk, asked: Asked) -> Response:
    """Become the owner of a new incident; saying it twice is no mistake, taking another's is."""
    query_of(asked)
    found = take(desk, asked)
    if found.owner != asked.who.name:
        raise Problem(
            409,
            f"{found.owner or 'Somebody else'} acknowledged it already, at {rfc3339(found.acknowledged_ms)}.",
            where="incident",
            hint="Nothing is left to do here.",
        )
    return JSONResponse(shapes.incident_json(found))


def take(desk: Desk, asked: Asked) -> rows.Incident:
    """Acknowledge the incident in the path if it is new; it as it stands afterwards."""
    before = incident_of(desk, asked)
    with desk.database.write() as connection:
        if rows.acknowledge(connection, before.id, asked.who.name, asked.now_ms):
            about = {"thing": "incident", "ref": before.id, "incident": before.id, "camera": before.camera}
            note(connection, asked, "acknowledge", commune=before.commune, **about)
        return rows.find_incident(connection, before.id) or before


def clip_file(desk: Desk, asked: Asked) -> tuple[Clip, Path]:
    """The clip in the path, within reach, and its bytes on the disk."""
    name = require_uuid(asked.request.path_params["id"], "clip")
    with desk.database.read() as connection:
        found = find_clip(connection, name)
    if found is None:
        raise not_found("clip", name)
    require_reach(desk, asked, found.box, "clip", name)
    path = None if found.path is None else inside(desk.data_folder, found.path)
    if found.state != "stored" or path is None or not path.is_file():
        what = {
            "announced": "is not here yet",
            "lost": "will not come",
            "left_behind": "stands on a card that is no longer in the box",
            "deleted": "was deleted",
        }
        raise Problem(
            404,
            f"The clip {what.get(found.state, 'is missing on the disk')}.",
            where="clip",
            hint="See its state and note in /api/v1/episodes/ID.",
        )
    return found, path


def clip(desk: Desk, asked: Asked) -> Response:
    """The bytes of a clip, whole or by Range. `download=1` offers them as a file; `copy=1` gives the playback copy."""
    query = query_of(asked, "download", "copy")
    download, wants_copy = query.one_of("download", ("1",)), query.one_of("copy", ("1",))
    found, path = clip_file(desk, asked)
    if download and not asked.who.may("export"):
        refuse(desk, asked, "export")
    if download and wants_copy:
        raise Problem(400, "copy: is no evidence and no file to keep.", where="copy", hint="Download the clip itself.")
    tag = found.sha256
    if wants_copy:
        copy = desk.copies.ready(found.sha256)
        if copy is None:
            raise Problem(404, "There is no copy of it.", where="copy", hint="POST /api/v1/clips/ID/playback first.")
        path, tag = copy, f"{found.sha256}-copy"
    if asked.request.method == "GET":
        with desk.database.read() as connection:
            place = place_of(connection, found.box)
            incident = None if found.episode is None else rows.incident_of_episode(connection, found.episode)
        about = {"thing": "clip", "ref": found.id, "camera": found.camera, "incident": incident}
        commune = None if place is None else place.commune
        note_view(desk, asked, "export" if download else "view", commune=commune, **about)
    if is_known(asked.request, tag):
        return _not_modified(tag)
    started = asked.formats.local(found.first_frame_ms)
    camera = (found.camera or found.box).replace("/", "_")
    filename = f"{camera}_{started:%Y-%m-%d_%H-%M-%S}.mp4" if started is not None else f"{camera}_{found.id}.mp4"
    return FileResponse(
        path,
        media_type="video/mp4",
        filename=filename,
        content_disposition_type="attachment" if download else "inline",
        headers=_headers(tag),
    )


def snapshot(desk: Desk, asked: Asked) -> Response:
    """A picture by its SHA-256, or the best one of an episode by the episode's id."""
    query_of(asked)
    name = asked.request.path_params["id"]
    is_hash = len(name) == 64 and set(name) <= set("0123456789abcdef")
    if not is_hash and not is_uuid(name):
        raise not_found("snapshot", name)
    which = {"sha256": name} if is_hash else {"episode": name}
    with desk.database.read() as connection:
        # The same bytes may have come from several boxes: the one within reach counts.
        found = rows.find_snapshot(connection, **which, reach=asked.who.reach)
        found = found or rows.find_snapshot(connection, **which)
    place = None if found is None else require_reach(desk, asked, found.box, "snapshot", name)
    path = None if found is None else inside(desk.data_folder, found.path)
    if found is None or place is None or path is None or not path.is_file():
        raise not_found("snapshot", name)
    if asked.request.method == "GET":
        about = {"thing": "snapshot", "ref": found.sha256, "camera": found.camera, "incident": found.incident}
        note_view(desk, asked, "view", commune=place.commune, **about)
    if is_known(asked.request, found.sha256):
        return _not_modified(found.sha256)
    return FileResponse(path, media_type="image/jpeg", headers=_headers(found.sha256))


def is_known(request: Request, sha256: str) -> bool:
    """True when the browser still has these bytes and only asks whether it may show them."""
    kept = request.headers.get("if-none-match", "")
    return f'"{sha256}"' in [tag.strip().removeprefix("W/") for tag in kept.split(",")]


def _headers(sha256: str) -> dict[str, str]:
    return {"cache-control": _ASKED_EACH_TIME, "etag": f'"{sha256}"'}


def _not_modified(sha256: str) -> Response:
    return Response(status_code=304, headers=_headers(sha256))


def inside(folder: Path, relative: str) -> Path | None:
    """The file below the data folder; None for a path that leads out of it."""
    path = (folder / relative).resolve()
    return path if path.is_relative_to(folder.resolve()) else None
