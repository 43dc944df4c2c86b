"""When motion counts: windows of local weekdays and minutes of the day. Pure: the local time is an argument."""

from dataclasses import dataclass

MINUTES_A_DAY = 24 * 60
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_minute` up to but not including `end_minute` of local days; raises ValueError when out of range.

    A window whose end is not after its start runs over midnight into the next day; equal ends are the whole day
    round. `weekdays` (Monday 0 … Sunday 6) are the days on which the window *starts*.
    """

    start_minute: int
    end_minute: int
    weekdays: frozenset[int] = EVERY_DAY

    def __post_init__(self) -> None:
        if not 0 <= self.start_minute < MINUTES_A_DAY:
            raise ValueError(f"schedule: a window starts from 00:00 to 23:59, not at minute {self.start_minute}")
        if not 0 <= self.end_minute <= MINUTES_A_DAY:
            raise ValueError(f"schedule: a window ends from 00:00 to 24:00, not at minute {self.end_minute}")
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ValueError(f"schedule: weekdays are 0 (Monday) to 6 (Sunday), not {sorted(self.weekdays)}")

    def holds(self, local_minutes: int, weekday: int) -> bool:
        """Whether this local minute of this weekday lies in the window."""
        if self.start_minute < self.end_minute:
            return weekday in self.weekdays and self.start_minute <= local_minutes < self.end_minute
        if local_minutes >= self.start_minute:
            return weekday in self.weekdays
        return local_minutes < self.end_minute and (weekday - 1) % 7 in self.weekdays


@dataclass(frozen=True, slots=True)
class Schedule:
    """Any of several windows; none at all means always."""

    windows: tuple[Window, ...] = ()

    def active(self, local_minutes: int, weekday: int) -> bool:
        """Whether motion counts at this local minute of the day (0..1439) on this weekday (Monday 0)."""
        return not self.windows or any(window.holds(local_minutes, weekday) for window in self.windows)
