"""What is missing of a box, for a window of time: numbers, clips, word, video. Read by pages, API and command line."""

from collections.abc import Sequence
from dataclasses import dataclass

from collector.fleet.completeness import Completeness
from collector.fleet.gaps import Beat, Gap, Silence, by_hour, video_gaps
from collector.store import missing, presence
from collector.store.boxes import Camera, list_cameras
from collector.store.database import Connection


@dataclass(frozen=True)
class CameraReport:
    """`hours`: the beginning of each hour and the milliseconds in it that were not watched."""

    id: str
    name: str
    gaps: tuple[Gap, ...]
    hours: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BoxReport:
    """`heard_ms`: when its last heartbeat was made; None when none ever came, and then its cameras are not judged."""

    id: str
    heard_ms: int | None
    completeness: Completeness
    silences: tuple[Silence, ...]
    cameras: tuple[CameraReport, ...]


def gaps_of(
    connection: Connection,
    camera: Camera,
    beat: Beat | None,
    silences: Sequence[Silence],
    since_ms: int,
    until_ms: int,
) -> list[Gap]:
    """When one camera had no video, within the window; `beat` is its box's last, `silences` those of its box."""
    return video_gaps(
        presence.picture_words(connection, camera.id, since_ms, until_ms),
        silences,
        None if beat is None else beat.at_ms,
        0.0 if beat is None else beat.patience_ms,
        since_ms,
        until_ms,
        first_seen_ms=camera.first_seen_ms,
    )


def report_of(connection: Connection, box: str, since_ms: int, until_ms: int) -> BoxReport:
    """One box, `since_ms` ≤ time < `until_ms`; nothing is judged before its first heartbeat or after now."""
    beat = presence.last_beat(connection, box)
    found = tuple(presence.silences_of(connection, box, since_ms, until_ms))
    cameras = []
    for camera in list_cameras(connection, box=box, configured=True) if beat is not None else ():
        gaps = gaps_of(connection, camera, beat, found, since_ms, until_ms)
        cameras.append(CameraReport(camera.id, camera.name, tuple(gaps), tuple(by_hour(gaps, since_ms, until_ms))))
    return BoxReport(
        box,
        None if beat is None else beat.at_ms,
        missing.completeness_of(connection, box).get(box, Completeness()),
        found,
        tuple(cameras),
    )
