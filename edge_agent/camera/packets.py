"""The values that leave the demuxer: what a stream is, and its packets; ring and clip writer know only these.

PURE: no av here. A `Packet` outlives the input it came from.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What one opened video stream is.

    `header` is a tiny file (NUT, no pictures) made right after opening: whoever muxes packets of this stream later
    opens it as the template of the output stream, so codec parameters survive the input. It is b"" where MP4
    cannot hold the codec: such a stream is looked at but not recorded.
    """

    codec: str
    width: int
    height: int
    fps: float | None
    time_base: Fraction
    header: bytes

    @property
    def recordable(self) -> bool:
        return bool(self.header)


@dataclass(frozen=True, slots=True)
class Packet:
    """One compressed picture, byte for byte as the source gave it; `pts`, `dts`, `duration` in `time_base` seconds.

    `mono_ms`: arrival at the box on the monotonic clock, smoothed by the stream's own pts (see timeline.py).
    """

    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    time_base: Fraction
    is_key: bool
    mono_ms: float
