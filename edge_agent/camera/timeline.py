"""Puts a stream's own timestamps onto the box's monotonic clock. PURE: arrival times come in as arguments.

A packet's `mono_ms` is its pts plus the smallest delay (arrival - dts) seen lately: the network only ever adds delay,
so the least delayed packet tells the truth and jitter vanishes. Rules: `mono_ms` lies after the arrival by no more
than the codec's reordering (pts - dts), so pictures in the order they are shown do not run backwards; a jump of the
camera's clock is taken out (dts goes on by the time that passed at the box) and counted; a wrapped counter is no jump.
"""

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

_WRAPS = (1 << 32, 1 << 33)  # RTP and MPEG-TS counters
_WRAP_SLACK_MS = 10_000.0
_FIRST_STEP_MS = 5_000.0


@dataclass(frozen=True, slots=True)
class Placed:
    """Timestamps made continuous, in the stream's time base, and the moment on the monotonic clock."""

    pts: int
    dts: int
    mono_ms: float
    jumped: bool


class Timeline:
    """One for each opened stream.

    `jump_ms`: how far the stream's clock and the box's may part between two packets before it is a jump and not
    a delay. A network that stalls and catches up stays far below the read deadline, so that is the measure.
    `window_ms`: how long a delay counts as "lately"; it bounds the error that a camera's drifting clock makes.
    """

    def __init__(self, time_base: Fraction, jump_ms: float = 10_000.0, window_ms: float = 20_000.0) -> None:
        self._unit_ms = float(time_base * 1000)
        self._jump_ms = jump_ms
        self._window_ms = window_ms
        self._shift = 0  # added to the source's stamps so that they go on after a jump or a wrap
        self._delays: deque[tuple[float, float]] = deque()  # (arrival, arrival - dts in ms), delays rising
        self._last_stamps: tuple[int | None, int | None] | None = None
        self._last_at: int | None = None  # where the last packet stood on the continuous axis
        self._last_dts: int | None = None
        self._last_arrival_ms = 0.0
        self.jumps = 0
        self.disorder = 0

    def place(self, pts: int | None, dts: int | None, arrival_ms: float) -> Placed:
        """Place the packet that arrived at `arrival_ms`; a missing stamp is made from the other, or the arrival."""
        stamp = dts if dts is not None else pts
        jumped = False
        if stamp is None or (pts, dts) == self._last_stamps:
            # No stamp, or (seen on servers) one that stands still: the arrival is all there is.
            at = self._expected(arrival_ms)
            pts_out = dts_out = at
        else:
            jumped = self._follow(stamp, arrival_ms)
            at = stamp + self._shift
            dts_out = at if dts is not None or self._last_dts is None else self._last_dts + 1
            pts_out = pts + self._shift if pts is not None else dts_out
            self._last_stamps = (pts, dts)
        if self._last_dts is not None and dts_out <= self._last_dts:
            self.disorder += dts is not None and stamp is not None
            dts_out = self._last_dts + 1  # cameras swap or repeat stamps: one tick on, and no harm done
        pts_out = max(pts_out, dts_out)
        self._last_at, self._last_dts, self._last_arrival_ms = at, dts_out, arrival_ms
        delay = self._smallest_delay(arrival_ms - dts_out * self._unit_ms, arrival_ms)
        return Placed(pts_out, dts_out, pts_out * self._unit_ms + delay, jumped)

    def _expected(self, arrival_ms: float) -> int:
        if self._last_at is None:
            return 0
        return self._last_at + max(1, round((arrival_ms - self._last_arrival_ms) / self._unit_ms))

    def _follow(self, stamp: int, arrival_ms: float) -> bool:
        """Set the shift so that `stamp` goes on from the last packet; True where the stream's clock jumped."""
        if self._last_at is None:
            return False
        if self._last_stamps is None:
            # RTSP counts from 0, and the first access unit comes without its stamp where it begins with a delimiter.
            if not 0 <= (stamp - self._last_at) * self._unit_ms < _FIRST_STEP_MS:
                self._shift = self._expected(arrival_ms) - stamp
            return False
        step_ms = (stamp + self._shift - self._last_at) * self._unit_ms
        strayed_ms = step_ms - (arrival_ms - self._last_arrival_ms)
        back = step_ms < -self._jump_ms / 10
        if not back and strayed_ms < self._jump_ms:
            return False
        for wrap in _WRAPS:
            if back and abs(strayed_ms + wrap * self._unit_ms) < _WRAP_SLACK_MS:
                self._shift += wrap
                return False
        self._shift = self._expected(arrival_ms) - stamp
        self._delays.clear()
        self.jumps += 1
        return True

    def _smallest_delay(self, delay: float, arrival_ms: float) -> float:
        """Sliding minimum: delays rise from left to right, so the left one is the smallest in the window."""
        while self._delays and self._delays[-1][1] >= delay:
            self._delays.pop()
        self._delays.append((arrival_ms, delay))
        while self._delays[0][0] < arrival_ms - self._window_ms:
            self._delays.popleft()
        return self._delays[0][1]
