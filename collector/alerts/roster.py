"""Who is on duty when, and who comes next. PURE: a week of shifts, and the local time as an argument."""

from collections.abc import Iterable
from dataclasses import dataclass

from collector.alerts.rules import DAY_MINUTES, Hours, LocalTime

WEEK_MINUTES = 7 * DAY_MINUTES


@dataclass(frozen=True)
class Shift:
    """An officer's hours and the channel by which they are told."""

    officer: str
    channel: str
    hours: tuple[Hours, ...]

    def covers(self, local: LocalTime) -> bool:
        """True while the officer is on duty."""
        return any(hours.covers(local) for hours in self.hours)


def on_duty(shifts: Iterable[Shift], local: LocalTime) -> list[str]:
    """Channels of those on duty now, in the roster's order, each once."""
    return list(dict.fromkeys(shift.channel for shift in shifts if shift.covers(local)))


def next_on_duty(shifts: Iterable[Shift], local: LocalTime) -> list[str]:
    """Channels of those who are on duty next and are not now; nobody when the same are all the week."""
    shifts = tuple(shifts)
    now = set(on_duty(shifts, local))
    for minutes in range(1, WEEK_MINUTES):
        coming = [channel for channel in on_duty(shifts, _after(local, minutes)) if channel not in now]
        if coming:
            return coming
    return []


def first_gap(shifts: Iterable[Shift]) -> LocalTime | None:
    """The first minute of the week at which nobody is on duty."""
    shifts = tuple(shifts)
    for minute in range(WEEK_MINUTES):
        local = LocalTime(minute // DAY_MINUTES, minute % DAY_MINUTES)
        if not on_duty(shifts, local):
            return local
    return None


def _after(local: LocalTime, minutes: int) -> LocalTime:
    at = (local.weekday * DAY_MINUTES + local.minute + minutes) % WEEK_MINUTES
    return LocalTime(at // DAY_MINUTES, at % DAY_MINUTES)
