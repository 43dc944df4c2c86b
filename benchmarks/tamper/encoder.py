"""What a camera's encoder at a fixed bitrate makes of pictures: encoded, and decoded again as the agent does."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np

from benchmarks.detection.films import luma_frame
from benchmarks.detection.videos import Frame

_CLOCK = Fraction(1, 1000)
BITS_A_PIXEL = 0.3
"""640x360 at 15 pictures a second: 1 Mbit/s."""


def at_fixed_bitrate(given: Iterable[Frame], fps: float, gop_s: float = 2.0) -> Iterator[tuple[Frame, bool]]:
    """H.264, filled up to its bitrate, without frames from the future. Each picture, and whether it is a key frame."""
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    opened = False
    for at_s, picture in given:
        frame = luma_frame(picture)
        width, height = frame.width, frame.height
        if not opened:
            opened = True
            kbps = max(64, round(width * height * fps * BITS_A_PIXEL / 1000))
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate, encoder.bit_rate = _CLOCK, Fraction(round(fps)), kbps * 1000
            rate = f"nal-hrd=cbr:vbv-maxrate={kbps}:vbv-bufsize={kbps}:scenecut=0:keyint={round(gop_s * fps)}"
            encoder.options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": rate}
        frame.pts, frame.time_base = round(at_s * 1000), _CLOCK
        for packet in encoder.encode(frame):
            for shown in decoder.decode(packet):
                luma = shown.planes[0]
                rows = np.frombuffer(bytes(luma), np.uint8).reshape(-1, luma.line_size)
                yield (at_s, np.ascontiguousarray(rows[:height, :width])), packet.is_keyframe
