"""When the sun rises and sets at a place. PURE.

NOAA's solar equations (General Solar Position Calculations), with the sun's centre 0.833° below the horizon at both:
within two minutes of the almanac between the polar circles. Where the sun does not rise or set that day the answer is
noon: a night that long has no end, and no rule is written for it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import acos, cos, degrees, pi, radians, sin, tan
from typing import Literal

SunEvent = Literal["sunrise", "sunset"]
_ZENITH = radians(90.833)


@dataclass(frozen=True)
class Sky:
    """Over a place: degrees north and east, and its time zone."""

    latitude: float
    longitude: float
    zone: tzinfo

    def minute(self, event: SunEvent, day: date) -> int:
        """Local minutes after midnight of that day, rounded."""
        turn = 2 * pi / (366 if day.year % 4 == 0 else 365) * (day.timetuple().tm_yday - 1 + 0.25)
        late_min = 229.18 * (
            0.000075 + 0.001868 * cos(turn) - 0.032077 * sin(turn) - 0.014615 * cos(2 * turn) - 0.040849 * sin(2 * turn)
        )
        tilt = (
            0.006918 - 0.399912 * cos(turn) + 0.070257 * sin(turn) - 0.006758 * cos(2 * turn)
            + 0.000907 * sin(2 * turn) - 0.002697 * cos(3 * turn) + 0.00148 * sin(3 * turn)
        )  # fmt: skip
        north = radians(self.latitude)
        height = cos(_ZENITH) / (cos(north) * cos(tilt)) - tan(north) * tan(tilt)
        angle = degrees(acos(max(-1.0, min(1.0, height))))
        if event == "sunset":
            angle = -angle
        utc_min = 720 - 4 * (self.longitude + angle) - late_min
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=self.zone)
        ahead = noon.utcoffset() or timedelta()
        return round(utc_min + ahead.total_seconds() / 60) % 1440
