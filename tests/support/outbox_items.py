"""Events, snapshots and clips for tests of outbox and uplink."""

import hashlib
import uuid
from pathlib import Path

from vonggac.wire.messages import CameraState, ClipReady, EpisodeStarted

BOX = "box-1"


def an_id(number: int) -> str:
    return str(uuid.UUID(int=0x017F22E279B070008000000000000000 + number))


def camera_event(number: int = 0) -> CameraState:
    return CameraState(camera="gate", state="up", since_ms=number)


def episode_started(number: int, jpeg: bytes | None = None) -> EpisodeStarted:
    return EpisodeStarted(
        episode=an_id(number),
        camera="gate",
        start_ms=1_790_000_000_000 + number,
        box=(0.1, 0.2, 0.3, 0.4),
        snapshot_sha256=hashlib.sha256(jpeg).hexdigest() if jpeg else None,
    )


def clip_file(folder: Path, number: int, size_bytes: int = 1000) -> tuple[ClipReady, Path]:
    """A file of recognisable bytes under clips/, and what clip_ready says of it."""
    path = folder / "clips" / f"{an_id(number)}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = (f"clip {number} ".encode() * (size_bytes // 6 + 1))[:size_bytes]
    path.write_bytes(data)
    body = ClipReady(
        clip=an_id(number),
        episode=an_id(number + 1_000_000),
        camera="gate",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=size_bytes,
        first_frame_ms=1_790_000_000_000,
        duration_ms=4000,
        codec="h264",
        width=1920,
        height=1080,
    )
    return body, path
