"""Brings clips back that a power cut left half-written: playable to the last whole part, flagged, named and synced.

Rules: no file is deleted. What holds no whole part is set aside as `.broken` and told. Runs before the clip writer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.recording import boxes
from edge_agent.recording.clip import PART_SUFFIX, describe, read_clip_head, seal
from edge_agent.recording.finished import FinishedClip
from vonggac.daemon.files import rename_durably
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

BROKEN_SUFFIX = ".broken"
_REASON = "the power or the program failed while it was recorded"


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was found at start-up: clips to send like any other, and files set aside with the reason."""

    clips: tuple[FinishedClip, ...]
    broken: tuple[tuple[Path, str], ...]


def salvage(folder: Path) -> Salvage:
    """Bring back every `.part` file in `folder`. OSError where the disk itself fails."""
    clips: list[FinishedClip] = []
    broken: list[tuple[Path, str]] = []
    for part_path in _part_files(folder):
        path = part_path.with_name(part_path.name.removesuffix(PART_SUFFIX))
        try:
            clip = _bring_back(part_path, path)
        except (boxes.Torn, ValueError) as error:
            broken.append((_set_aside(part_path, path, str(error)), str(error)))
        else:
            clips.append(clip)
            log.info("clip salvaged", file=path.name, duration_ms=clip.duration_ms, packets=clip.packets)
    return Salvage(tuple(clips), tuple(broken))


def adopt(paths: Iterable[Path]) -> Salvage:
    """Read whole clips anew that were named but never handed over; what is no clip is set aside."""
    clips: list[FinishedClip] = []
    broken: list[tuple[Path, str]] = []
    for path in paths:
        try:
            clips.append(describe(path))
        except (boxes.Torn, ValueError) as error:
            broken.append((_set_aside(path, path, str(error)), str(error)))
    return Salvage(tuple(clips), tuple(broken))


def _set_aside(path: Path, named: Path, why: str) -> Path:
    aside = named.with_name(named.name + BROKEN_SUFFIX)
    rename_durably(path, aside)
    log.warning("clip beyond salvage, set aside", file=aside.name, error=why)
    return aside


def _part_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.name.endswith(PART_SUFFIX) and path.is_file())


def _bring_back(part_path: Path, path: Path) -> FinishedClip:
    _cut_unwritten_parts(part_path)
    meta, info = read_clip_head(part_path)
    return seal(part_path, path, meta, info, truncated=True, reason=_REASON)


def _cut_unwritten_parts(part_path: Path) -> None:
    """Cut where a part's pictures are zeros: a file system may keep the length of what was never written."""
    with part_path.open("r+b") as file:
        layout = boxes.read_layout(file)
        end = layout.end
        for part in layout.parts:
            if not boxes.samples_written(file, part):
                end = part.offset
                break
        if end < layout.end or layout.torn_bytes:
            file.truncate(end)
