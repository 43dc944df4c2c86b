"""The values around a clip: what is written into it, and what is known when it is whole on disk. PURE."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClipMeta:
    """What a clip file says about itself. Empty strings where a salvaged file no longer tells."""

    box: str
    camera: str
    episode: str
    clip: str
    first_frame_wall_ms: int


@dataclass(frozen=True, slots=True)
class FinishedClip:
    """A clip, whole and synced under its final name. `truncated`: shorter than the episode asked; `reason` says why.

    `preroll_missing_ms`: how much later than asked it begins, because nothing older was held in memory.
    """

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
    truncated: bool
    reason: str = ""
    preroll_missing_ms: int = 0
