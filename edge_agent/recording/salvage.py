"""Brings clips back that a power cut left half-written: playable to the last whole part, flagged, named and synced.

Rules: a file without one whole part shows nothing and goes; what is damaged is set aside as `.broken`, a few of
them at most; either is told. A clip that was sealed but not yet named or taken over is as it was sealed. Runs before
the clip writer.
"""

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.recording import boxes
from edge_agent.recording.clip import PART_SUFFIX, describe, read_clip_head, seal, sealed_ending
from edge_agent.recording.finished import Ending, FinishedClip
from vonggac.daemon.files import remove_durably, rename_durably
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

BROKEN_SUFFIX = ".broken"
BROKEN_KEPT = 4
"""A card that damages again and again must not fill up with what it damaged."""
_CUT = Ending(truncated=True, reason="the power or the program failed while it was recorded")


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was found at start-up: clips to send like any other, and names of files that are none, with the reason."""

    clips: tuple[FinishedClip, ...]
    broken: tuple[tuple[str, str], ...]


def salvage(folder: Path) -> Salvage:
    """Bring back every `.part` file in `folder`. OSError where the disk itself fails."""
    found = _take(_part_files(folder), _bring_back)
    for clip in found.clips:
        log.info("clip salvaged", file=clip.path.name, duration_ms=clip.duration_ms, packets=clip.packets)
    return found


def adopt(paths: Iterable[Path]) -> Salvage:
    """Read whole clips anew that were named but never handed over; what is no clip is set aside."""
    return _take(paths, describe)


def set_aside(path: Path, why: str) -> None:
    """Keep a damaged file for a person to look at; what holds no picture goes."""
    named = path.name.removesuffix(PART_SUFFIX)
    if not _holds_pictures(path):
        remove_durably(path)
        log.warning("clip file without a picture deleted", file=named, error=why)
        return
    rename_durably(path, path.with_name(named + BROKEN_SUFFIX))
    log.warning("clip beyond salvage, set aside", file=named + BROKEN_SUFFIX, error=why)
    for old in sorted(path.parent.glob(f"*{BROKEN_SUFFIX}"))[:-BROKEN_KEPT]:
        remove_durably(old)


def _take(paths: Iterable[Path], read: Callable[[Path], FinishedClip]) -> Salvage:
    clips: list[FinishedClip] = []
    broken: list[tuple[str, str]] = []
    for path in paths:
        try:
            clips.append(read(path))
        except (boxes.Torn, ValueError) as error:
            set_aside(path, str(error))
            broken.append((path.name.removesuffix(PART_SUFFIX), str(error)))
    return Salvage(tuple(clips), tuple(broken))


def _holds_pictures(path: Path) -> bool:
    """Whether a whole part is there, or, where the head cannot be read, anything that looks like the begin of one."""
    with path.open("rb") as file:
        try:
            return bool(boxes.read_layout(file).parts)
        except boxes.Torn:
            pass
        if not path.stat().st_size:
            return False  # and an empty file cannot be mapped
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(b"moof") >= 0


def _part_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.name.endswith(PART_SUFFIX) and path.is_file())


def _bring_back(part_path: Path) -> FinishedClip:
    ending = _cut_unwritten_parts(part_path)
    meta, info = read_clip_head(part_path)
    return seal(part_path, part_path.with_name(part_path.name.removesuffix(PART_SUFFIX)), meta, info, ending)


def _cut_unwritten_parts(part_path: Path) -> Ending:
    """Cut where a part's pictures are zeros: a file system may keep the length of what was never written.

    Returns how the clip ended: by its own word where it was sealed and nothing had to be cut.
    """
    with part_path.open("r+b") as file:
        layout = boxes.read_layout(file)
        end = layout.end
        for part in layout.parts:
            if not boxes.samples_written(file, part):
                end = part.offset
                break
        if end < layout.end or layout.torn_bytes:
            file.truncate(end)
            return _CUT
        return sealed_ending(file) or _CUT
