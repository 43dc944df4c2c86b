"""A month as a table of weeks, and what is here of each day. Pure."""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from collector.store.search import DayKept


@dataclass(frozen=True, kw_only=True)
class Month:
    """Weeks from Monday to Sunday; days of other months are None. `later` is None for the present month."""

    first: date
    weeks: tuple[tuple[date | None, ...], ...]
    earlier: str
    later: str | None
    kept: Mapping[date, DayKept] = field(default_factory=dict)

    def with_kept(self, kept: Mapping[date, DayKept]) -> "Month":
        """The same month with what is here of its days."""
        return replace(self, kept=kept)


def month_of(text: str, day: date, today: date) -> Month:
    """The month `2026-11`, else that of the day; never one that has not begun, nor before 1970."""
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
    year, month = (int(found[1]), int(found[2])) if found else (day.year, day.month)
    if not (1970 < year <= today.year and 1 <= month <= 12) or (year, month) > (today.year, today.month):
        year, month = today.year, today.month
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    earlier = (year - 1, 12) if month == 1 else (year, month - 1)
    later = (year + 1, 1) if month == 12 else (year, month + 1)
    return Month(
        first=date(year, month, 1),
        weeks=tuple(tuple(each if each.month == month else None for each in week) for week in weeks),
        earlier="{:04d}-{:02d}".format(*earlier),
        later="{:04d}-{:02d}".format(*later) if later <= (today.year, today.month) else None,
    )
