"""A clock that a test turns by hand."""

import threading

from vonggac.wire.messages import Clock as ClockState


class FakeClock:
    def __init__(
        self, wall_ms: int = 1_790_000_000_000, mono_ms: float = 1_000_000.0, state: ClockState = "synced"
    ) -> None:
        self.boot_id = "11111111-1111-4111-8111-111111111111"
        self.clock_state: ClockState = state
        self._wall_ms = wall_ms
        self._mono_ms = mono_ms
        self._lock = threading.Lock()

    def wall_ms(self) -> int:
        with self._lock:
            return self._wall_ms

    def mono_ms(self) -> float:
        with self._lock:
            return self._mono_ms

    def wall_ms_at(self, mono_ms: float) -> int:
        with self._lock:
            return round(self._wall_ms - (self._mono_ms - mono_ms))

    def state(self) -> ClockState:
        return self.clock_state

    def advance(self, ms: float) -> None:
        """Let time pass on both clocks."""
        with self._lock:
            self._wall_ms += round(ms)
            self._mono_ms += ms

    def step_wall(self, ms: int) -> None:
        """NTP or a hand moves the wall clock alone."""
        with self._lock:
            self._wall_ms += ms
