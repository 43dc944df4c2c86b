"""How figures and times look to a person. Unknown is "—", never 0. Pure: the moment comes in as an argument."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from collector.web.query import rfc3339
from collector.web.wording import Wording

UNKNOWN = "—"
Comma = Literal[",", "."]


class Formats:
    """Figures and local times in one language and one time zone."""

    def __init__(self, wording: Wording, zone: tzinfo) -> None:
        self._words = wording
        self._zone = zone
        self._comma: Comma = "," if wording.language == "vi" else "."

    @property
    def zone(self) -> tzinfo:
        """The page's time zone."""
        return self._zone

    def number(self, value: float | None, digits: int = 0, unit: str = "") -> str:
        """`3,4 °C` in Vietnamese, `3.4 °C` in English."""
        if value is None:
            return UNKNOWN
        text = f"{value:.{digits}f}".replace(".", self._comma)
        return f"{text} {unit}" if unit else text

    def size(self, value: int | None) -> str:
        """Bytes in the largest decimal unit that leaves at least 1."""
        if value is None:
            return UNKNOWN
        amount = float(value)
        for unit in ("B", "kB", "MB", "GB"):
            if amount < 1000:
                return self.number(amount, 0 if unit == "B" or amount >= 100 else 1, unit)
            amount /= 1000
        return self.number(amount, 1, "TB")

    def bitrate(self, kbps: float | None) -> str:
        """kbit/s, or Mbit/s from 1,000 on."""
        if kbps is None:
            return UNKNOWN
        return self.number(kbps / 1000, 1, "Mbit/s") if kbps >= 1000 else self.number(kbps, 0, "kbit/s")

    def percent(self, part: float | None, whole: float | None) -> str:
        """`part` of `whole`."""
        return UNKNOWN if part is None or not whole else f"{100 * part / whole:.0f} %"

    def span(self, ms: float | None) -> str:
        """A duration in its two largest units at most: `2 min 05 s`; below ten seconds with a decimal."""
        if ms is None:
            return UNKNOWN
        seconds = max(0.0, ms / 1000)
        word = self._words
        if seconds < 9.95:
            return self.number(seconds, 1 if seconds % 1 >= 0.05 else 0, word("unit.s"))
        whole = round(seconds)
        if whole < 60:
            return f"{whole} {word('unit.s')}"
        for unit_s, larger, part_s, smaller in ((60, "min", 1, "s"), (3600, "h", 60, "min"), (86400, "d", 3600, "h")):
            if whole < unit_s * (60 if unit_s < 3600 else 48) or larger == "d":
                rest = whole % unit_s // part_s
                return f"{whole // unit_s} {word(f'unit.{larger}')}" + (
                    f" {rest} {word(f'unit.{smaller}')}" if rest else ""
                )
        raise AssertionError("days take all that is left")

    def ago(self, then_ms: int | None, now_ms: int) -> str:
        """How long ago, in words; a moment in the future (clocks differ) is "just now"."""
        if then_ms is None:
            return UNKNOWN
        if now_ms - then_ms < 2_000:
            return self._words("time.now")
        return self._words("time.ago", span=self.span(round((now_ms - then_ms) / 1000) * 1000))

    def local(self, ms: int | None) -> datetime | None:
        """The moment in the page's time zone."""
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone)

    def local_time(self, ms: int) -> datetime:
        """The moment in the page's time zone, for what reckons with days."""
        return datetime.fromtimestamp(ms / 1000, self._zone)

    def moment(self, ms: int | None) -> str:
        """dd/MM/yyyy HH:mm:ss"""
        local = self.local(ms)
        return UNKNOWN if local is None else f"{local:%d/%m/%Y %H:%M:%S}"

    def iso(self, ms: int | None) -> str:
        """RFC 3339 UTC, for machines."""
        return rfc3339(ms) or ""

    def clock(self, ms: int | None) -> str:
        """HH:mm:ss"""
        local = self.local(ms)
        return UNKNOWN if local is None else f"{local:%H:%M:%S}"

    def day(self, ms: int | None) -> str:
        """dd/MM/yyyy"""
        local = self.local(ms)
        return UNKNOWN if local is None else f"{local:%d/%m/%Y}"

    def day_begins_ms(self, text: str) -> int | None:
        """Local midnight of `2026-11-26` or `26/11/2026` in UTC milliseconds; None for what is no day."""
        for form in ("%Y-%m-%d", "%d/%m/%Y"):
            try:
                begins = datetime.strptime(text, form).replace(tzinfo=self._zone)
            except ValueError:
                continue
            return max(0, round(begins.timestamp() * 1000)) if 1970 <= begins.year < 9999 else None
        return None

    def day_after_ms(self, begins_ms: int) -> int:
        """Local midnight of the day after, in UTC milliseconds."""
        local = self.local_time(begins_ms).date() + timedelta(days=1)
        return round(datetime.combine(local, datetime.min.time(), self._zone).timestamp() * 1000)

    def iso_day(self, ms: int) -> str:
        """2026-11-26, for addresses."""
        return f"{self.local_time(ms):%Y-%m-%d}"

    def short_clock(self, ms: int) -> str:
        """HH:mm"""
        local = self.local_time(ms)
        return f"{local.hour:02d}:{local.minute:02d}"  # a day's strip has hundreds: half the price of %H:%M

    def minute_of_day(self, text: str) -> int | None:
        """`14:35` or `14h35` as 875; None for what is no time of day. 24:00 is the end of the day."""
        hour, colon, minute = text.replace("h", ":").partition(":")
        if not (colon and hour.isdecimal() and minute.isdecimal() and len(hour) <= 2 and len(minute) == 2):
            return None
        minutes = int(hour) * 60 + int(minute)
        return minutes if int(minute) < 60 and minutes <= 1440 else None

    def hours(self, from_minute: int | None, to_minute: int | None) -> str:
        """`21:00–05:00`; all hours where there are none."""
        if from_minute is None or to_minute is None:
            return self._words("mutes.always")
        return f"{from_minute // 60:02d}:{from_minute % 60:02d}–{to_minute // 60:02d}:{to_minute % 60:02d}"

    def day_in_words(self, ms: int, now_ms: int) -> str:
        """ "Today", "Yesterday", or the weekday and date."""
        local, today = datetime.fromtimestamp(ms / 1000, self._zone), datetime.fromtimestamp(now_ms / 1000, self._zone)
        distance = (today.date() - local.date()).days
        if distance in (0, 1):
            return self._words("time.today" if distance == 0 else "time.yesterday")
        return f"{self._words(f'weekday.{local.isoweekday()}')}, {local:%d/%m/%Y}"
