"""What a stream did so far: counters and sliding rates for the heartbeat, cheap enough to be told of every packet.

Rules: one thread writes, any thread takes a snapshot; figures are true for the last ten whole seconds or unknown.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from edge_agent.camera.packets import StreamInfo
from edge_agent.camera.unavailable import Reason

State = Literal["connecting", "streaming", "unavailable"]

_SLIDING_S = 10


@dataclass(frozen=True, slots=True)
class CaptureStats:
    """True figures for the heartbeat; None where unknown. Counters run since the program began."""

    state: State = "connecting"
    since_mono_ms: float | None = None
    last_packet_mono_ms: float | None = None
    last_frame_mono_ms: float | None = None
    fps_in: float | None = None
    bitrate_in_bps: float | None = None
    packets: int = 0
    frames_decoded: int = 0
    decode_errors: int = 0
    discontinuities: int = 0
    reconnects: int = 0
    last_error: Reason | None = None
    last_error_text: str = ""
    info: StreamInfo | None = None

    @property
    def drops(self) -> int:
        """Packets that gave no picture, and jumps of the stream's clock."""
        return self.decode_errors + self.discontinuities


class Rate:
    """Packets and bytes a second over the last seconds, kept as one sum for each second of the stream."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[float, int, int]] = deque(maxlen=_SLIDING_S + 1)  # (began_ms, packets, bytes)
        self._began_ms = self._latest_ms = float("-inf")
        self._packets = self._bytes = 0

    def add(self, mono_ms: float, size: int) -> None:
        """A packet of `size` bytes that belongs to `mono_ms`."""
        if mono_ms - self._began_ms >= 1000.0:
            if self._packets:
                self._seconds.append((self._began_ms, self._packets, self._bytes))
            self._began_ms, self._packets, self._bytes = mono_ms, 0, 0
        self._packets += 1
        self._bytes += size
        self._latest_ms = max(self._latest_ms, mono_ms)

    def figures(self, now_ms: float) -> tuple[float | None, float | None]:
        """Packets a second and bits a second; (None, None) before there is a second to tell of, or long after."""
        began_ms, packets, size = self._began_ms, self._packets, self._bytes
        seconds = [second for second in tuple(self._seconds) if second[0] >= now_ms - _SLIDING_S * 1000.0]
        if seconds:
            span_ms = began_ms - seconds[0][0]
            packets, size = sum(second[1] for second in seconds), sum(second[2] for second in seconds)
        else:
            span_ms, packets = self._latest_ms - began_ms, packets - 1
        if packets < 1 or span_ms <= 0 or self._latest_ms < now_ms - _SLIDING_S * 1000.0:
            return None, None
        # A stream that has stopped slows down in the figures too, until they are unknown.
        silent_ms = max(0.0, now_ms - self._latest_ms - 2 * span_ms / packets)
        span_s = (span_ms + silent_ms) / 1000.0
        return packets / span_s, size * 8 / span_s
