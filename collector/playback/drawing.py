"""A program of its own: `python -m collector.playback.drawing KIND < PICTURE > PICTURE` draws an uploaded picture anew.

What comes out holds pixels and nothing else of what came in. Before the pixels: one JSON line with width and height.
Decoding happens in a process that may die, with bounded time, memory and size.
"""

import json
import resource
import sys
from fractions import Fraction
from io import BytesIO
from typing import cast

import av
from av.video.codeccontext import VideoCodecContext

MAX_PIXELS = 40_000_000
MAX_SIDE = 3_000
CPU_S = 30
MEMORY_BYTES = 2 * 2**30
FORMATS = {"png": ("png_pipe", "png", "rgb24"), "jpeg": ("jpeg_pipe", "mjpeg", "yuvj420p")}


def main(kind: str) -> int:
    """Exit code 0 when the picture stands on stdout."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        width, height, body = draw(kind, sys.stdin.buffer.read())
    except (av.FFmpegError, ValueError, MemoryError, StopIteration) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.buffer.write(json.dumps({"width": width, "height": height}).encode() + b"\n" + body)
    return 0


def draw(kind: str, given: bytes) -> tuple[int, int, bytes]:
    """Width, height and bytes of the same picture, no side over MAX_SIDE. Raises ValueError, av.FFmpegError."""
    demuxer, encoder, pix_fmt = FORMATS[kind]
    with av.open(BytesIO(given), "r", format=demuxer) as file:
        stream = file.streams.video[0]
        if not 0 < stream.width * stream.height <= MAX_PIXELS:
            raise ValueError(f"{stream.width} x {stream.height} pixels are too many")
        frame = next(file.decode(stream))
    share = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * share) // 2 * 2) for side in (frame.width, frame.height))
    out = cast(VideoCodecContext, av.CodecContext.create(encoder, "w"))
    out.width, out.height, out.pix_fmt = width, height, pix_fmt
    out.options = {"qmin": "2", "qmax": "4"} if kind == "jpeg" else {}
    drawn = frame.reformat(width, height, pix_fmt)
    drawn.pts = 0
    out.time_base = Fraction(1, 25)
    packets = [*out.encode(drawn), *out.encode(None)]
    return width, height, b"".join(bytes(packet) for packet in packets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
