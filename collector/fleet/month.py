"""The availability of every camera within reach in a month, or in any time. Read by pages, API and CSV."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from collector.fleet.availability import Availability, availability
from collector.fleet.gaps import video_gaps
from collector.fleet.grouping import site_scope
from collector.store import presence
from collector.store.boxes import Box, Camera, list_boxes, list_cameras
from collector.store.database import Connection
from collector.store.outage_history import spans_of_cameras
from collector.store.reach import EVERYWHERE, Place, Reach
from collector.store.upkeep import windows_of

FIRST_YEAR, LAST_YEAR = 2020, 2999


@dataclass(frozen=True)
class CameraMonth:
    """A camera, where it hangs, and its availability; None where its box was never heard."""

    id: str
    commune: str
    site: str
    availability: Availability | None


def month_bounds(text: str, zone: tzinfo) -> tuple[int, int] | None:
    """Local midnight of the first of `2026-11` and of the next month, in UTC milliseconds; None: it is no month."""
    year, dash, month = text.partition("-")
    if not (dash and text.isascii() and year.isdigit() and month.isdigit() and len(year) == 4 and len(month) == 2):
        return None
    if not (FIRST_YEAR <= int(year) <= LAST_YEAR and 1 <= int(month) <= 12):
        return None
    first = datetime(int(year), int(month), 1)
    after = first + timedelta(days=monthrange(first.year, first.month)[1])
    begin, end = (round(moment.replace(tzinfo=zone).timestamp() * 1000) for moment in (first, after))
    return begin, end


def month_of(connection: Connection, since_ms: int, until_ms: int, reach: Reach = EVERYWHERE) -> list[CameraMonth]:
    """Every camera that its box names and that is within reach, by commune, site and name."""
    away = spans_of_cameras(connection, since_ms, until_ms)
    cameras: dict[str, list[Camera]] = {}
    for camera in list_cameras(connection, configured=True):
        cameras.setdefault(camera.box, []).append(camera)
    found = []
    for box in list_boxes(connection):
        if reach.covers(Place(box.commune, box.site)) and box.id in cameras:
            found += _of_box(connection, box, cameras[box.id], away, since_ms, until_ms)
    return sorted(found, key=lambda each: (each.commune, each.site, each.id))


def _of_box(
    connection: Connection,
    box: Box,
    cameras: list[Camera],
    away: Mapping[str, list[tuple[int, int | None]]],
    since_ms: int,
    until_ms: int,
) -> list[CameraMonth]:
    beat = presence.last_beat(connection, box.id)
    if beat is None:
        return [CameraMonth(camera.id, box.commune, box.site, None) for camera in cameras]
    silences = presence.silences_of(connection, box.id, since_ms, until_ms)
    around = [("box", box.id), site_scope(box.commune, box.site), ("commune", box.commune)]
    rest = [("camera", camera.id) for camera in cameras]
    windows = windows_of(connection, [*around, *rest], since_ms, until_ms)
    found = []
    for camera in cameras:
        words = presence.picture_words(connection, camera.id, since_ms, until_ms)
        gaps = video_gaps(
            words, silences, beat.at_ms, beat.patience_ms, since_ms, until_ms, first_seen_ms=camera.first_seen_ms
        )
        mine = {*around, ("camera", camera.id)}
        found.append(
            CameraMonth(
                camera.id,
                box.commune,
                box.site,
                availability(
                    (since_ms, until_ms),
                    camera.first_seen_ms,
                    gaps,
                    [(each.start_ms, each.until_ms) for each in windows if (each.kind, each.ref) in mine],
                    [(begin, until_ms if end is None else end) for begin, end in away.get(camera.id, ())],
                ),
            )
        )
    return found
