"""The wall of cameras, and what other cameras saw at the moment of an episode."""

import base64
import json
from dataclasses import dataclass

from starlette.responses import Response

from collector.fleet.report import gaps_of
from collector.store import desk as rows
from collector.store import presence
from collector.store.boxes import find_camera
from collector.store.database import Connection
from collector.store.desk import Episode
from collector.store.reach import Place
from collector.store.wall import WallKey, cameras_on_wall, nearest_episode, neighbours_of, with_pictures
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.render import render

ON_WALL = 60
BESIDE = 8
NEAR_MS = 120_000
INSTANT_MS = 5_000


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Another camera at `at_ms`: what moved (`offset_ms` from that moment), else why nobody knows, else quiet."""

    camera: str
    at_ms: int
    episode: str | None = None
    snapshot: str | None = None
    offset_ms: int = 0
    gap: str | None = None


def wall(desk: Desk, asked: Asked) -> Response:
    """Every camera with its latest picture, its age and its state."""
    text = query_of(asked, "after").text("after")
    with desk.database.read() as connection:
        found = cameras_on_wall(connection, asked.who.reach, None if text is None else _key(text), ON_WALL + 1)
        more, found = found[ON_WALL:], found[:ON_WALL]
        shown = with_pictures(connection, found)
        waiting = rows.waiting_in(connection, asked.who.reach)
    last = found[-1] if more else None
    after = None if last is None else _wrap((last.commune, last.site, last.id))
    return render(desk, asked, "cameras.html", cameras=shown, more=after, waiting=waiting)


def beside(connection: Connection, episode: Episode, place: Place) -> list[Beside]:
    """What the cameras near an episode's saw when it began."""
    at_ms = episode.start_ms
    return [_seen_by(connection, camera, at_ms) for camera in neighbours_of(connection, episode.camera, place, BESIDE)]


def _seen_by(connection: Connection, camera: str, at_ms: int) -> Beside:
    nearest = nearest_episode(connection, camera, at_ms, NEAR_MS)
    if nearest is not None:
        offset_ms = nearest.start_ms - at_ms
        if nearest.start_ms <= at_ms <= nearest.last_ms:
            offset_ms = 0
        return Beside(camera=camera, at_ms=at_ms, episode=nearest.id, snapshot=nearest.snapshot, offset_ms=offset_ms)
    known = find_camera(connection, camera)
    if known is None:
        return Beside(camera=camera, at_ms=at_ms, gap="unknown")
    beat = presence.last_beat(connection, known.box)
    silences = presence.silences_of(connection, known.box, at_ms, at_ms + INSTANT_MS)
    gaps = gaps_of(connection, known, beat, silences, at_ms, at_ms + INSTANT_MS)
    gap = "unknown" if beat is None else gaps[0].kind if gaps else None
    return Beside(camera=camera, at_ms=at_ms, gap=gap)


def _wrap(key: WallKey) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _key(text: str) -> WallKey:
    try:
        key = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        key = None
    match key:
        case [str(commune), str(site), str(camera)] if "\0" not in commune + site + camera:
            return commune, site, camera
    raise Problem(400, "after: is no place on the wall.", where="after", hint="Follow the link of the page before.")
