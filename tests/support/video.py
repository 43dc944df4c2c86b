"""Small video streams made on the spot by PyAV's encoders."""

import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.reader import stream_header

ENCODERS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}
TIME_BASE = Fraction(1, 90_000)


def encode(
    path: Path,
    codec: str = "h264",
    stamps_ms: Sequence[int] = tuple(range(0, 4000, 100)),
    gop: int = 10,
    b_frames: int = 0,
    size: tuple[int, int] = (64, 48),
    container: str | None = None,
    slices: int = 1,
) -> Path:
    """Write a video whose pictures are shown at `stamps_ms`, a key frame every `gop` pictures.

    H.265 not below 64x48: with 32x32 pictures x265 writes outside its memory, and some later call dies of it.
    """
    assert codec != "hevc" or (size[0] >= 64 and size[1] >= 48), size
    options = {"g": str(gop), "bf": str(b_frames), "preset": "ultrafast", "sc_threshold": "0"}
    if codec == "h264":
        options["x264-params"] = f"sliced-threads=0:slices={slices}"
    if codec == "hevc":
        options["x265-params"] = f"keyint={gop}:min-keyint={gop}:bframes={b_frames}:open-gop=0:log-level=none"
    with av.open(str(path), "w", format=container) as output:
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream = output.add_stream(
            ENCODERS[codec], rate=25, width=size[0], height=size[1], pix_fmt=pixels, options=options
        )
        stream.codec_context.time_base = TIME_BASE
        stream.time_base = TIME_BASE
        for index, stamp_ms in enumerate(stamps_ms):
            picture = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            left = index * 3 % size[0]
            picture[: size[1], left : left + 8] = 220
            frame = av.VideoFrame.from_ndarray(picture, format=pixels)
            frame.pts, frame.time_base = stamp_ms * 90, TIME_BASE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def read(path: Path, mono_ms: float = 0.0) -> tuple[StreamInfo, list[Packet]]:
    """A file's stream and all its packets, as if the first had arrived at `mono_ms`."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        context = stream.codec_context
        info = StreamInfo(context.name, context.width, context.height, None, stream.time_base, stream_header(stream))
        packets: list[Packet] = []
        first = 0
        for raw in source.demux(stream):
            if not raw.size:
                continue
            pts = raw.pts if raw.pts is not None else raw.dts
            assert pts is not None
            first = first if packets else pts
            packets.append(
                Packet(
                    data=bytes(raw),
                    pts=raw.pts,
                    dts=raw.dts,
                    duration=raw.duration,
                    time_base=stream.time_base,
                    is_key=raw.is_keyframe,
                    mono_ms=mono_ms + float((pts - first) * stream.time_base) * 1000,
                )
            )
    return info, packets


def samples(path: Path) -> list[tuple[bytes, float]]:
    """(bytes, seconds from the first picture shown) of every packet of a file, in the order of the file."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        found = [(bytes(raw), raw.pts or 0) for raw in source.demux(stream) if raw.size]
        first = min(pts for _, pts in found)
        return [(data, float((pts - first) * stream.time_base)) for data, pts in found]


def decoded(path: Path) -> Iterator[float]:
    """The time in seconds of every picture that a decoder shows; raises where it stumbles."""
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            yield float(frame.time or 0.0)


@functools.cache
def one_packet(is_key: bool, size: int) -> bytes:
    return bytes(size) if is_key else b"\x01" * size


def packet(mono_ms: float, is_key: bool = False, size: int = 100) -> Packet:
    """A packet that no decoder will see."""
    stamp = round(mono_ms * 90)
    return Packet(one_packet(is_key, size), stamp, stamp, None, TIME_BASE, is_key, mono_ms)
