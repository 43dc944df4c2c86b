"""Labelled recordings encoded anew: three rate controls, three distances of key frames, with and without long calms.

`calm` puts a long stretch in which nothing happens (a labelled quiet stretch, to and fro) before each event, each a
little longer than the last, so that events begin while the reader rests and anywhere between two key frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.detection.videos import Labels, Picture, frames

RATES = ("CRF", "VBR", "CBR")
GOPS_S = (1, 2, 10)
_CALM_S = 17.0
_LONGER_S = 0.37
_LONGEST_QUIET_S = 6.0
_BITS_A_PIXEL = 0.12


@dataclass(frozen=True)
class Film:
    """Luma frames at an even rate, and when something is to be seen in them."""

    fps: float
    pictures: list[Picture]
    events: tuple[tuple[float, float], ...]


def original(path: Path, labels: Labels) -> Film:
    """The recording as it is."""
    taken = list(frames(path))
    fps = (len(taken) - 1) / taken[-1][0]
    return Film(fps, [picture for _, picture in taken], tuple((event.start_s, event.end_s) for event in labels.events))


def with_calms(film: Film, labels: Labels) -> Film | None:
    """Each event behind a long calm; None where no quiet stretch is labelled."""
    if not labels.quiet:
        return None
    start_s, end_s = max(labels.quiet, key=lambda stretch: stretch[1] - stretch[0])
    first, last = round(start_s * film.fps), round(min(end_s, start_s + _LONGEST_QUIET_S) * film.fps)
    there = film.pictures[first:last]
    round_trip = there + there[-2:0:-1]
    pictures: list[Picture] = []
    events = []
    for number, event in enumerate(film.events):
        calm = round((_CALM_S + number * _LONGER_S) * film.fps)
        pictures += [round_trip[index % len(round_trip)] for index in range(calm)]
        begin = max(0, round((event[0] - 0.3) * film.fps))
        at_s = len(pictures) / film.fps + event[0] - begin / film.fps
        events.append((at_s, at_s + event[1] - event[0]))
        pictures += film.pictures[begin : round((event[1] + 1.0) * film.fps)]
    pictures += [round_trip[index % len(round_trip)] for index in range(round(8 * film.fps))]
    return Film(film.fps, pictures, tuple(events))


def encode(film: Film, path: Path, rate: str, gop_s: float) -> Path:
    """H.264 as cameras send it: no frames from the future, key frames at even distances."""
    height, width = (side // 2 * 2 for side in film.pictures[0].shape)
    options = {"preset": "veryfast", "bf": "0", "sc_threshold": "0", "g": str(round(gop_s * film.fps))}
    kbps = round(_BITS_A_PIXEL * width * height * film.fps / 1000)
    if rate == "CRF":
        options |= {"crf": "24"}
    else:
        room = 3 if rate == "VBR" else 1
        most = round(kbps * 1.5) if rate == "VBR" else kbps
        options |= {"b": f"{kbps}k", "maxrate": f"{most}k", "bufsize": f"{kbps * room}k"}
        options |= {"minrate": f"{kbps}k", "nal-hrd": "cbr"} if rate == "CBR" else {}
    pace = Fraction(film.fps).limit_denominator(1000)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=pace, width=width, height=height, pix_fmt="yuv420p", options=options)
        for number, frame in enumerate(_coded(film.pictures, width, height)):
            frame.pts, frame.time_base = number, 1 / pace
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _coded(pictures: list[Picture], width: int, height: int) -> Iterator[av.VideoFrame]:
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    for picture in pictures:
        planes[:height] = picture[:height, :width]
        yield av.VideoFrame.from_ndarray(planes, format="yuv420p")
