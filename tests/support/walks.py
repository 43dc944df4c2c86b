"""A noisy street in which somebody walks at told times: main and sub-stream on one timeline, made on the spot."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

Walks = Sequence[tuple[float, float]]


def film_walks(
    path: Path, walks: Walks, duration_s: float, size: tuple[int, int] = (320, 240), fps: int = 10, gop_s: float = 2.0
) -> Path:
    """Write H.264; somebody crosses the picture during each [start_s, end_s]."""
    width, height = size
    rng = np.random.default_rng(11)
    background = cv2.resize(rng.integers(60, 170, (12, 16)).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    noise = [rng.normal(0, 2, (height, width)) for _ in range(5)]
    with av.open(str(path), "w") as output:
        options = {"preset": "ultrafast", "g": str(round(fps * gop_s)), "sc_threshold": "0", "bf": "0"}
        stream = output.add_stream("libx264", rate=fps, width=width, height=height, pix_fmt="yuv420p", options=options)
        for number in range(round(duration_s * fps)):
            t = number / fps
            luma = background.astype(np.float64)
            for start_s, end_s in walks:
                if start_s <= t < end_s:
                    left = round((t - start_s) / (end_s - start_s) * width * 0.9)
                    luma[height // 3 : height * 5 // 6, left : left + width // 14] = 225
            picture = np.full((height * 3 // 2, width), 128, np.uint8)
            picture[:height] = np.clip(luma + noise[number % 5], 0, 255)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def packets_of(path: Path) -> list[bytes]:
    """The compressed pictures of a file, in decoding order."""
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux(video=0) if packet.size]
