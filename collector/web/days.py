"""One camera's day: the strip on the search page, and the same for programs."""

from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from collector.fleet.gaps import Gap
from collector.fleet.report import gaps_of
from collector.store import presence
from collector.store.boxes import find_camera
from collector.store.database import Connection
from collector.store.search import episodes_within
from collector.web.access import require_reach
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import rfc3339
from collector.web.strip import Bucket, Hour, Seen, buckets_of, hours_of

LOOK_BACK_MS = 3_600_000
"""An episode that began so long before midnight may reach into the day: boxes split longer ones."""


@dataclass(frozen=True, kw_only=True)
class CameraDay:
    """A day from `begin_ms` to `end_ms`; `judged` False: its box never sent a heartbeat, nobody knows what it saw."""

    camera: str
    begin_ms: int
    end_ms: int
    judged: bool
    buckets: list[Bucket]
    hours: list[Hour]
    gaps: list[Gap]


def camera_day(connection: Connection, camera: str, begin_ms: int, end_ms: int, now_ms: int) -> CameraDay | None:
    """None for a camera that never was."""
    known = find_camera(connection, camera)
    if known is None:
        return None
    until_ms = min(end_ms, now_ms)
    beat = presence.last_beat(connection, known.box)
    gaps: list[Gap] = []
    if until_ms > begin_ms:
        silences = presence.silences_of(connection, known.box, begin_ms, until_ms)
        gaps = gaps_of(connection, known, beat, silences, begin_ms, until_ms)
        if beat is None:
            gaps = [Gap(begin_ms, until_ms, "unknown")]
    rows = episodes_within(connection, camera, begin_ms - LOOK_BACK_MS, end_ms)
    seen = [Seen(*row) for row in rows if row[2] >= begin_ms]
    buckets = buckets_of(begin_ms, end_ms, now_ms, seen, gaps)
    return CameraDay(
        camera=camera,
        begin_ms=begin_ms,
        end_ms=end_ms,
        judged=beat is not None,
        buckets=buckets,
        hours=hours_of(buckets),
        gaps=gaps,
    )


def answer(desk: Desk, asked: Asked) -> Response:
    """`day` as 2026-11-26 in the server's time zone, today without it."""
    text = query_of(asked, "day").text("day")
    box, name = asked.request.path_params["box"], asked.request.path_params["name"]
    require_reach(desk, asked, box, "camera", f"{box}/{name}")
    begin_ms = asked.formats.day_begins_ms(text or asked.formats.day(asked.now_ms))
    if begin_ms is None:
        raise Problem(400, f"day: {str(text)[:40]!r} is no day.", where="day", hint="Write 2026-11-26.")
    with desk.database.read() as connection:
        found = camera_day(connection, f"{box}/{name}", begin_ms, asked.formats.day_after_ms(begin_ms), asked.now_ms)
    if found is None:
        raise not_found("camera", f"{box}/{name}")
    items = [
        {
            "from": rfc3339(bucket.from_ms),
            "watch": bucket.watch,
            "missing_s": round(bucket.missing_ms / 1000, 1),
            "episodes": bucket.episodes,
            "score": bucket.score if bucket.episodes else None,
        }
        for bucket in found.buckets
    ]
    return JSONResponse({"camera": found.camera, "from": rfc3339(begin_ms), "judged": found.judged, "items": items})
