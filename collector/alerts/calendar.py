"""What hours go by besides the clock: holidays, and the sun over the district. PURE."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from collector.alerts.rules import ALL_WEEK, Hours, SunTime
from collector.alerts.sky import Sky, SunEvent

_BY_THE_CLOCK: dict[SunEvent, int] = {"sunrise": 6 * 60, "sunset": 18 * 60}


@dataclass(frozen=True)
class Sun:
    """So many minutes after sunrise or sunset (before, when negative), wherever that is: `sunset`, `sunrise+30m`."""

    event: SunEvent
    after_min: int = 0


Moment = Sun | int
"""Minutes since local midnight, or by the sun."""


@dataclass(frozen=True)
class Calendar:
    """The holidays, and the sky over the district; None where no place is given: the sun rises at 6 and sets at 18."""

    holidays: frozenset[date] = frozenset()
    sky: Sky | None = None

    def hours(self, start: Moment, end: Moment, weekdays: Collection[int], *, on_holidays: bool) -> Hours:
        """A window of these days; neither weekdays nor holidays mean all days. Raises ValueError for no hours."""
        return Hours(
            _by_the_clock(start),
            _by_the_clock(end),
            frozenset(weekdays) if weekdays or on_holidays else ALL_WEEK,
            self.holidays if on_holidays else frozenset(),
            self._by_the_sun(start),
            self._by_the_sun(end),
        )

    def _by_the_sun(self, moment: Moment) -> SunTime | None:
        if isinstance(moment, int) or self.sky is None:
            return None
        return SunTime(moment.event, self.sky, moment.after_min)


PLAIN = Calendar()
"""Neither holidays nor a sky."""


def _by_the_clock(moment: Moment) -> int:
    return moment if isinstance(moment, int) else _BY_THE_CLOCK[moment.event]
