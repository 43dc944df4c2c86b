"""What people type for a moment: 14:35, 1435, 2h35 chiều, hôm qua 14:35, 23/11 9h. Pure: now is an argument."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_DAYS_BACK = {
    "hôm nay": 0, "hom nay": 0, "today": 0, "hôm qua": 1, "hom qua": 1, "yesterday": 1, "hôm kia": 2, "hom kia": 2,
    "tối qua": 1, "toi qua": 1, "đêm qua": 1, "dem qua": 1,
}  # fmt: skip
_EVENINGS = ("tối qua", "toi qua", "đêm qua", "dem qua")
_AFTERNOON = ("chiều", "chieu", "tối", "toi", "đêm", "dem", "pm", "p.m.")
_MORNING = ("sáng", "sang", "am", "a.m.")
_NOON = ("trưa", "trua")
_DATE = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?\b|\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_CLOCK = re.compile(
    r"(?P<h>\d{1,2})\s*(?:[:hg]|giờ|gio)\s*(?P<m>\d{1,2})?(?:\s*(?:[:mp]|phút|phut)\s*(?P<s>\d{2})?)?|(?P<bare>\d{1,4})"
)


@dataclass(frozen=True)
class Typed:
    """A local day and a second of the day, of which one may be missing."""

    day: date | None
    second: int | None


def read_typed(text: str, today: date) -> Typed | None:
    """What was meant; None for what says neither a day nor a time.

    >>> read_typed("hôm qua 2h35 chiều", date(2026, 11, 24))
    Typed(day=datetime.date(2026, 11, 23), second=52500)
    """
    rest = " ".join(text.lower().replace(",", " ").split())
    day, evening = None, False
    for words, back in _DAYS_BACK.items():
        if words in rest:
            day, evening = today - timedelta(days=back), words in _EVENINGS
            rest = rest.replace(words, " ").strip()
            break
    found = _DATE.search(rest)
    if found is not None:
        if day is not None:
            return None
        day = _date_of(found, today)
        if day is None:
            return None
        rest = (rest[: found.start()] + " " + rest[found.end() :]).strip()
    if not rest:
        return None if day is None else Typed(day, None)
    second = _second_of(rest, evening=evening)
    return None if second is None else Typed(day, second)


def moment_of(typed: Typed, day: date | None, now: datetime) -> datetime | None:
    """The local moment that is meant: the typed day, else `day`, else the last time that the clock showed this."""
    if typed.second is None:
        return None
    chosen = typed.day or day
    at = timedelta(seconds=typed.second)
    if chosen is not None:
        return datetime.combine(chosen, datetime.min.time(), now.tzinfo) + at
    moment = datetime.combine(now.date(), datetime.min.time(), now.tzinfo) + at
    return moment if moment <= now else moment - timedelta(days=1)


def _date_of(found: re.Match[str], today: date) -> date | None:
    day, month, year, iso_year, iso_month, iso_day = found.groups()
    try:
        if iso_year is not None:
            return date(int(iso_year), int(iso_month), int(iso_day))
        if year is not None:
            return date(int(year), int(month), int(day))
        this_year = date(today.year, int(month), int(day))
        return this_year if this_year <= today else date(today.year - 1, int(month), int(day))
    except ValueError:
        return None


def _second_of(text: str, *, evening: bool) -> int | None:
    """The second of the day; a word such as `chiều` moves an hour before noon behind it."""
    shift = 12 if evening else None
    for words, hours in ((_AFTERNOON, 12), (_NOON, 11), (_MORNING, 0)):
        for word in words:
            if text.endswith(word) and shift in (None, 12):
                text, shift = text.removesuffix(word).strip(), hours
                break
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    if found["bare"] is not None:
        digits = found["bare"]
        hour, minute, second = (int(digits), 0, 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]), 0)
    else:
        hour, minute, second = int(found["h"]), int(found["m"] or 0), int(found["s"] or 0)
    if (shift == 12 and hour < 12) or (shift == 11 and hour < 10):
        hour += 12
    elif shift == 0 and hour == 12:
        hour = 0
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second
