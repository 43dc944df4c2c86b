"""The availability of every camera within reach in a month, or in any time. Read by pages, API and CSV."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from collector.fleet.availability import Availability, availability
from collector.fleet.gaps import Beat, Silence, Word, video_gaps
from collector.fleet.grouping import site_scope
from collector.store import presence
from collector.store.boxes import Camera, list_boxes, list_cameras
from collector.store.database import Connection
from collector.store.outage_history import spans_of_cameras
from collector.store.reach import EVERYWHERE, Place, Reach
from collector.store.upkeep import Window, windows_between

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
    """Every camera that its box names and that is within reach, by commune, site and name.

    Each kind of thing is read once for all cameras: a district has thousands.
    """
    known = _Known(
        beats=presence.last_beats(connection, reach),
        silences=presence.silences_of_all(connection, since_ms, until_ms, reach),
        words=presence.picture_words_of_all(connection, since_ms, until_ms, reach),
        windows=windows_between(connection, since_ms, until_ms),
        away=spans_of_cameras(connection, since_ms, until_ms),
    )
    place_of = {box.id: Place(box.commune, box.site) for box in list_boxes(connection)}
    found = []
    for camera in list_cameras(connection, configured=True):
        place = place_of.get(camera.box)
        if place is not None and reach.covers(place):
            of = known.availability(camera, place, since_ms, until_ms)
            found.append(CameraMonth(camera.id, place.commune, place.site, of))
    return sorted(found, key=lambda each: (each.commune, each.site, each.id))


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of the time asked for: by box, by camera, and by whoever a window of maintenance is for."""

    beats: Mapping[str, Beat]
    silences: Mapping[str, list[Silence]]
    words: Mapping[str, list[Word]]
    windows: Mapping[tuple[str, str], list[Window]]
    away: Mapping[str, list[tuple[int, int | None]]]

    def availability(self, camera: Camera, place: Place, since_ms: int, until_ms: int) -> Availability | None:
        """Of one camera; None where its box was never heard."""
        beat = self.beats.get(camera.box)
        if beat is None:
            return None
        gaps = video_gaps(
            self.words.get(camera.id, ()),
            self.silences.get(camera.box, ()),
            beat.at_ms,
            beat.patience_ms,
            since_ms,
            until_ms,
            first_seen_ms=camera.first_seen_ms,
        )
        mine = ("box", camera.box), site_scope(place.commune, place.site), ("commune", place.commune)
        windows = [each for scope in (*mine, ("camera", camera.id)) for each in self.windows.get(scope, ())]
        return availability(
            (since_ms, until_ms),
            camera.first_seen_ms,
            gaps,
            [(each.start_ms, each.until_ms) for each in windows],
            [(begin, until_ms if end is None else end) for begin, end in self.away.get(camera.id, ())],
        )
