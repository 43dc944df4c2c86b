"""Labelled recordings: luma frames, events and pixel truth, from a folder with labels/ and truth/."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
Frame = tuple[float, Picture]
"""Seconds from the first frame, and luma (H, W) uint8."""

SUFFIXES = {".mp4", ".avi", ".mkv", ".mov"}


def frames(path: Path) -> Iterator[Frame]:
    """All frames of a file in order of presentation.

    AVI files stamp packets as they are decoded: the times in order are then the times of the pictures in order.
    """
    with av.open(str(path)) as container:
        packets = list(container.demux(container.streams.video[0]))
    stamps = sorted(packet.pts for packet in packets if packet.size and packet.pts is not None)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate, unit_s = float(stream.average_rate or 25), float(stream.time_base or 1)
        last_s = -1.0
        for number, frame in enumerate(container.decode(stream)):
            at_s = (stamps[number] - stamps[0]) * unit_s if number < len(stamps) else number / rate
            last_s = max(at_s, last_s + 0.001)
            plane = frame.planes[0]
            rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
            yield last_s, np.ascontiguousarray(rows[: frame.height, : frame.width])


@dataclass(frozen=True)
class Event:
    """One thing that a person saw."""

    start_s: float
    end_s: float
    hard: bool
    backwards: bool = False
    """Played backwards: what leaves in doubt (a shadow) then comes first, so its start says nothing of delays."""


@dataclass(frozen=True)
class Labels:
    """What a person saw in a recording, and when there was nothing."""

    events: tuple[Event, ...]
    quiet: tuple[tuple[float, float], ...]
    unsure: tuple[tuple[float, float], ...]
    tolerance_s: float


def labels_of(path: Path) -> Labels | None:
    """The labels beside a recording, or None."""
    beside = path.parent / "labels" / f"{path.stem}.json"
    if not beside.exists():
        return None
    said = json.loads(beside.read_text())
    return Labels(
        tuple(Event(e["start_s"], e["end_s"], e.get("difficulty") == "hard") for e in said["events"]),
        tuple((start, end) for start, end in said["quiet"]),
        tuple((span["start_s"], span["end_s"]) for span in said["dont_care"]),
        said["tolerance_s"],
    )


class Truth:
    """Pixel truth of one recording, by number of the frame in the file from 0."""

    def __init__(self, archive: Path) -> None:
        self._masks: dict[int, bytes] = {}
        first, last = 1, 10**9
        self._shadow_counts_as_background = archive.name.startswith("cdnet")
        with tarfile.open(archive) as box:
            for member in box.getmembers():
                name = Path(member.name)
                content = box.extractfile(member)
                if content is None:
                    continue
                if name.name == "temporalROI.txt":
                    first, last = (int(word) for word in content.read().split()[:2])
                elif name.suffix == ".png" and name.stem[:2] == "gt":
                    self._masks[int(name.stem[2:])] = content.read()
        self._range = range(first, last + 1)

    def of(self, number: int) -> tuple[Picture, Picture] | None:
        """(moving, background) as bool pictures; pixels in neither do not count. None where there is no truth."""
        packed = self._masks.get(number + 1) if number + 1 in self._range else None
        if packed is None:
            return None
        grey = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            return None
        if self._shadow_counts_as_background:
            return grey == 255, (grey == 0) | (grey == 50)
        return grey >= 250, grey <= 5


def _archive(path: Path) -> Path:
    return path.parent / "truth" / f"{path.stem}.tar.xz"


def has_truth(path: Path) -> bool:
    """Whether there is pixel truth beside a recording."""
    return _archive(path).exists()


def truth_of(path: Path) -> Truth | None:
    """The pixel truth beside a recording, or None."""
    return Truth(_archive(path)) if has_truth(path) else None


def recordings(folder: Path) -> list[Path]:
    """The recordings of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def empty_scene(path: Path, labels: Labels) -> Picture:
    """One picture of the scene without anybody: the median over its quiet stretches."""
    kept = [
        picture
        for number, (at_s, picture) in enumerate(frames(path))
        if number % 5 == 0 and any(start <= at_s <= end for start, end in labels.quiet)
    ]
    middle: Picture = np.median(np.stack(kept[:25]), axis=0).astype(np.uint8)
    return middle
