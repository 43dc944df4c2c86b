"""The values around a clip: what is written into it, and what is known when it is whole on disk. PURE."""

from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.items import ClipClass


@dataclass(frozen=True, slots=True)
class ClipMeta:
    """What a clip file says about itself. `first_frame_mono_ms` counts from the boot `boot_id`; None in older files."""

    box: str
    camera: str
    episode: str
    clip: str
    first_frame_wall_ms: int
    clip_class: ClipClass = ClipClass.NORMAL
    boot_id: str | None = None
    first_frame_mono_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clip ended, as in FinishedClip; also kept in the file."""

    truncated: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FinishedClip:
    """A clip, whole and synced under its final name. `truncated`: shorter than the episode asked; `reason` says why."""

    path: Path
    meta: ClipMeta
    sha256: str
    size_bytes: int
    first_frame_wall_ms: int
    duration_ms: int
    codec: str
    width: int
    height: int
    packets: int
    truncated: bool = False
    reason: str = ""
