"""Where files stand below the data folder. PURE: names are made here, from checked ids, never taken from a box.

A place depends on nothing but the thing's own id and owner, so that the same thing, sent again after a crash, lands on
the same path: `clips/YYYY/MM/DD/<box>.<camera>/<clip>.mp4`, `snapshots/YYYY/MM/DD/<box>/<episode>-<sha16>.jpg`.
"""

import uuid
from datetime import UTC, datetime

_LATEST_MS = 253_402_300_799_000  # the last second of the year 9999
UPLOADS = "uploads"
CLIPS = "clips"
SNAPSHOTS = "snapshots"


def clip_path(box: str, camera: str | None, clip: str) -> str:
    """`camera` is None when the bytes came before the word of whose they are."""
    return f"{CLIPS}/{_day_of(clip)}/{box}.{camera or 'unknown'}/{clip}.mp4"


def snapshot_path(box: str, episode: str, sha256: str) -> str:
    """One picture of an episode."""
    return f"{SNAPSHOTS}/{_day_of(episode)}/{box}/{episode}-{sha256[:16]}.jpg"


def part_path(box: str, clip: str) -> str:
    """The bytes of an unfinished upload."""
    return f"{UPLOADS}/{box}.{clip}.part"


def _day_of(identifier: str) -> str:
    """The UTC day in a UUIDv7; the first of 1970 for any other UUID."""
    value = uuid.UUID(identifier)
    wall_ms = value.int >> 80 if value.version == 7 else 0
    return datetime.fromtimestamp(min(wall_ms, _LATEST_MS) / 1000, UTC).strftime("%Y/%m/%d").zfill(10)
