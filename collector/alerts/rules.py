"""Which episodes a person wants to hear of. PURE: a rule, an episode and a local time in, a yes or a reason out.

Rules: an empty list in a rule means "any". A rule that did not match is tried again whenever its episode says more
(a zone reached later, a higher score), never once it has matched.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Literal

from collector.alerts.sky import Sky, SunEvent

Severity = Literal["low", "normal", "high"]
SEVERITY_RANK: dict[Severity, int] = {"low": 0, "normal": 1, "high": 2}


def severity_of(text: str) -> Severity:
    """A severity that was stored as text."""
    for severity in SEVERITY_RANK:
        if severity == text:
            return severity
    raise ValueError(f"{text!r} is no severity: low, normal or high")


DEMOTED = "motion:demoted"
"""The kind of episodes in places that have stirred for long: recorded, not told."""

ALL_WEEK = frozenset(range(7))
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class LocalTime:
    """A moment on the wall clock of the site: `weekday` 0 is Monday, `minute` counts from local midnight.

    `day` is its date; without it there are no holidays and no sun.
    """

    weekday: int
    minute: int
    day: date | None = None


def local_time_at(wall_ms: int, zone: tzinfo) -> LocalTime:
    """The local time of a UTC moment."""
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(zone)
    return LocalTime(moment.weekday(), moment.hour * 60 + moment.minute, moment.date())


@dataclass(frozen=True)
class SunTime:
    """So many minutes after sunrise or sunset (before, when negative)."""

    event: SunEvent
    sky: Sky
    after_min: int = 0

    def minute(self, day: date) -> int:
        """Local minutes after midnight of that day, which it does not leave."""
        return max(0, min(DAY_MINUTES - 1, self.sky.minute(self.event, day) + self.after_min))


@dataclass(frozen=True)
class Hours:
    """A window [start, end) of local minutes on the days on which it *begins*: some weekdays, and `holidays` besides.

    With end <= start it runs over midnight into the next day: Hours(1320, 300, {4}) is Friday 22:00 to Saturday 05:00.
    `start_sun`, `end_sun` stand for the minutes where the window goes by the sun. A holiday is its weekday too: hours
    on holidays add to those of weekdays, and take nothing away.
    """

    start_minute: int
    end_minute: int
    weekdays: frozenset[int] = ALL_WEEK
    holidays: frozenset[date] = frozenset()
    start_sun: SunTime | None = None
    end_sun: SunTime | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.start_minute < DAY_MINUTES and 0 <= self.end_minute <= DAY_MINUTES):
            raise ValueError("hours lie between 00:00 and 24:00")
        if not self.weekdays <= ALL_WEEK:
            raise ValueError("weekdays are 0 (Monday) to 6 (Sunday)")

    def covers(self, local: LocalTime) -> bool:
        """True when the moment lies in the window."""
        yesterday = None if local.day is None else local.day - timedelta(days=1)
        start, end = self._start(local.day), self._end(local.day)
        if start < end:
            return self._is_on(local.weekday, local.day) and start <= local.minute < end
        if local.minute >= start:
            return self._is_on(local.weekday, local.day)
        return local.minute < end and self._is_on((local.weekday - 1) % 7, yesterday)

    def _is_on(self, weekday: int, day: date | None) -> bool:
        return weekday in self.weekdays or day in self.holidays

    def _start(self, day: date | None) -> int:
        return self.start_minute if self.start_sun is None or day is None else self.start_sun.minute(day)

    def _end(self, day: date | None) -> int:
        return self.end_minute if self.end_sun is None or day is None else self.end_sun.minute(day)


@dataclass(frozen=True)
class EpisodeFacts:
    """An episode as far as it is known. Times are the best known (boots.py), except `received_ms` (the collector's).

    `last_ms` is the last motion known so far; `size` the share of the picture that the motion has covered until then.
    Where the times are the box's own and its clock was not set (`clock_set` False), they mean nothing and the time of
    arrival stands in for them.
    """

    id: str
    box: str
    camera: str
    start_ms: int
    last_ms: int
    received_ms: int
    zones: tuple[str, ...] = ()
    kind: str = "motion"
    score: float = 0.0
    clock_set: bool = True
    size: float = 0.0

    @property
    def moment_ms(self) -> int:
        """When it began, by the best clock there is: what hours and grouping go by."""
        return self.start_ms if self.clock_set else self.received_ms

    @property
    def moment_last_ms(self) -> int:
        """Its last motion so far, by the same clock; never before `moment_ms`."""
        return self.moment_ms + max(0, self.last_ms - self.start_ms)


@dataclass(frozen=True)
class Escalate:
    """Told as well when nobody has taken the incident for so long: the next officer, then the post."""

    after_s: float
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """Who is told of what: `cameras` are patterns "box/camera" with `*` and `?`, each half matched by itself.

    A kind "tamper" stands for all of its kinds; "tamper:covered" for one. Of "motion:demoted" nobody is told, whatever
    the rule: the box has said on its page where and since when.
    """

    name: str
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    kinds: tuple[str, ...] = ()
    min_score: float | None = None
    min_size: float | None = None
    min_dwell_s: float | None = None
    cool_down_s: float = 60.0
    channels: tuple[str, ...] = ("screen",)
    severity: Severity = "normal"
    rings_an_hour: int = 12
    escalate: tuple[Escalate, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.cameras:
            if pattern.count("/") != 1:
                raise ValueError(f'rule {self.name}: camera pattern {pattern!r} must be "box/camera", such as "*/gate"')
        if not self.channels:
            raise ValueError(f"rule {self.name}: channels: a rule that tells nobody is no rule")

    def matches(self, episode: EpisodeFacts, local: LocalTime) -> bool:
        """True when a person is to hear of the episode; `local` is the local time at which it began."""
        return self.why_not(episode, local) is None

    def why_not(self, episode: EpisodeFacts, local: LocalTime) -> str | None:
        """The first reason why the rule does not speak of the episode; None when it does."""
        if episode.kind == DEMOTED:
            return "demoted"
        if self.cameras and not any(_covers(pattern, episode) for pattern in self.cameras):
            return "camera"
        if self.kinds and not {episode.kind, episode.kind.partition(":")[0]} & set(self.kinds):
            return "kind"
        if self.hours and not any(hours.covers(local) for hours in self.hours):
            return "hours"
        if self.zones and not set(self.zones) & set(episode.zones):
            return "zone"
        if self.min_score is not None and episode.score < self.min_score:
            return "score"
        if self.min_size is not None and episode.size < self.min_size:
            return "size"
        if self.min_dwell_s is not None and episode.moment_last_ms - episode.moment_ms < self.min_dwell_s * 1000:
            return "dwell"
        return None


DEFAULT_RULES = (Rule(name="everything"),)
"""What holds where no rule is configured: every camera, all hours, on the post's own screen alone."""


def _covers(pattern: str, episode: EpisodeFacts) -> bool:
    box, camera = pattern.split("/")
    return fnmatchcase(episode.box, box) and fnmatchcase(episode.camera, camera)
