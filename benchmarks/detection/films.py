"""Writes transformed recordings to files, hardly compressed, so that every detector looks at the same pictures."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.detection.videos import Frame

_CLOCK = Fraction(1, 90_000)


def luma_frame(picture: np.ndarray) -> av.VideoFrame:
    """A grey picture, (height, width) uint8, as FFmpeg's frame; an odd row or column is cut off."""
    height, width = (side // 2 * 2 for side in picture.shape)
    frame = av.VideoFrame(width, height, "yuv420p")
    for number, plane in enumerate(frame.planes):
        rows = np.full((plane.height, plane.line_size), 128, np.uint8)
        if number == 0:
            rows[:, :width] = picture[:height, :width]
        plane.update(rows.tobytes())
    return frame


def write(given: Iterable[Frame], path: Path, fps: float) -> None:
    """Writes luma frames to an H.264 file of nearly their quality; `fps` is what its header says."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = None
        for at_s, picture in given:
            frame = luma_frame(picture)
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.time_base = stream.codec_context.time_base = _CLOCK
                stream.options = {"preset": "ultrafast", "crf": "8", "g": "50"}
            frame.pts, frame.time_base = round(at_s / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
