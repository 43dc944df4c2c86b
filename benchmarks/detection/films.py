"""Writes transformed recordings to files, so that every detector looks at the same pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.detection.videos import Frame

_CLOCK = Fraction(1, 90_000)


@dataclass(frozen=True)
class Encoding:
    """How a film is coded."""

    codec: str
    pixels: str
    options: Mapping[str, str]


HARDLY_COMPRESSED = Encoding("libx264", "yuv420p", {"preset": "ultrafast", "crf": "8", "g": "50"})
ENCODINGS = {
    "H.265": Encoding("libx265", "yuv420p", {"preset": "veryfast", "x265-params": "crf=28:keyint=50:log-level=error"}),
    "interlaced": Encoding(
        "libx264",
        "yuv420p",
        {"preset": "veryfast", "crf": "23", "g": "50", "flags": "+ildct+ilme", "x264-params": "tff=1"},
    ),
    "odd size": Encoding("mjpeg", "yuvj420p", {"qmin": "3", "qmax": "5"}),
}
"""By transformation, where it is the coding that is tried: as cameras code, not as a copy would."""


def luma_frame(picture: np.ndarray, pixels: str = "yuv420p") -> av.VideoFrame:
    """A grey picture, (height, width) uint8, as FFmpeg's frame; an odd row or column is cut off but for "yuvj420p"."""
    height, width = picture.shape
    if pixels == "yuv420p":
        height, width = height // 2 * 2, width // 2 * 2
    frame = av.VideoFrame(width, height, pixels)
    for number, plane in enumerate(frame.planes):
        rows = np.full((plane.height, plane.line_size), 128, np.uint8)
        if number == 0:
            rows[:, :width] = picture[:height, :width]
        plane.update(rows.tobytes())
    return frame


def write(given: Iterable[Frame], path: Path, fps: float, encoding: Encoding = HARDLY_COMPRESSED) -> None:
    """Writes luma frames to a Matroska file; `fps` is what its header says."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = None
        for at_s, picture in given:
            frame = luma_frame(picture, encoding.pixels)
            if stream is None:
                stream = container.add_stream(encoding.codec, rate=Fraction(fps).limit_denominator(1000))
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, encoding.pixels
                stream.time_base = stream.codec_context.time_base = _CLOCK
                stream.options = dict(encoding.options)
            frame.pts, frame.time_base = round(at_s / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
