"""Wall time, monotonic time and what is known of their truth.

Wall time is UTC in whole milliseconds and may step; `mono_ms` counts milliseconds since boot (CLOCK_BOOTTIME), also
while the machine sleeps, and never steps. Nothing waits for the wall clock. docs/design/time.md says what degrades.
"""

import ctypes
import os
import time
from functools import cached_property
from pathlib import Path
from typing import Protocol

from vonggac.wire.ids import uuid7
from vonggac.wire.messages import Clock as ClockState

_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised
_TIMEX_BYTES = 512  # larger than any struct timex
_SYNCED_MARK = Path("/run/systemd/timesync/synchronized")
_RTC = Path("/sys/class/rtc/rtc0")
_FIRST_PLAUSIBLE_WALL_MS = 1_767_225_600_000  # 2026-01-01: this software did not exist before


class Clock(Protocol):
    """What a part may ask of time; tests turn it by hand."""

    @property
    def boot_id(self) -> str:
        """The kernel's id of this boot: `mono_ms` of two messages compare only under the same one."""
        ...

    def wall_ms(self) -> int:
        """UTC, milliseconds since 1970."""
        ...

    def mono_ms(self) -> float:
        """Milliseconds since boot."""
        ...

    def wall_ms_at(self, mono_ms: float) -> int:
        """The wall time of a moment given in `mono_ms`, by today's relation of the two."""
        ...

    def state(self) -> ClockState:
        """`synced`: the kernel says so now; `holdover`: it ran on from an earlier sync or a battery; else `unset`."""
        ...


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._was_synced = False
        self._libc = ctypes.CDLL(None, use_errno=True)

    @cached_property
    def boot_id(self) -> str:
        """Read when it is asked for: the updater never asks, and its unit shows it nothing of /proc/sys."""
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> float:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6

    def wall_ms_at(self, mono_ms: float) -> int:
        return round(self.wall_ms() - (self.mono_ms() - mono_ms))

    def state(self) -> ClockState:
        if self.wall_ms() < _FIRST_PLAUSIBLE_WALL_MS:
            return "unset"
        answer = self._libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        if 0 <= answer < _TIME_ERROR:
            self._was_synced = True
            return "synced"
        if self._was_synced or _SYNCED_MARK.exists() or _RTC.exists():
            return "holdover"
        return "unset"


def new_id(clock: Clock) -> str:
    """A fresh UUIDv7 for a message, an episode or a clip."""
    return uuid7(clock.wall_ms(), os.urandom(10))
