"""The part `alerts` of the collector's configuration: rules, their hours, channels, roster, outages."""

import re
from collections.abc import Callable
from datetime import UTC, date, tzinfo
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from collector.alerts.calendar import PLAIN, Calendar, Sun
from collector.alerts.channels.apprise import AppriseChannel, read_urls
from collector.alerts.channels.duty import DUTY, DUTY_NEXT, DutyChannel
from collector.alerts.channels.protocol import Channel
from collector.alerts.channels.screen import ScreenChannel
from collector.alerts.channels.zalo import API as ZALO_API
from collector.alerts.channels.zalo import Lend, ZaloChannel
from collector.alerts.incidents import Grouping
from collector.alerts.roster import Shift, first_gap, next_on_duty, on_duty
from collector.alerts.rules import DAY_MINUTES, Escalate, Hours, LocalTime, Rule, local_time_at
from collector.alerts.sky import SunEvent
from collector.store.desk import SCREEN
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.config import ConfigInvalid, ConfigPath, Duration, Section, is_this_machine, read_secret
from vonggac.daemon.quantities import parse_duration_s, parse_minute_of_day

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]
_SUN = re.compile(r"(sunrise|sunset)(?:([+-])(\d+(?:m|h)))?")


def _sun_or_clock(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SUN.fullmatch(value.strip())
    if found is None:
        if value.startswith("sun"):
            raise ValueError("must be a time of day, or sunrise or sunset, such as sunset-30m")
        return parse_minute_of_day(value)
    after_min = round(parse_duration_s(found[3]) / 60) if found[3] else 0
    event: SunEvent = "sunrise" if found[1] == "sunrise" else "sunset"
    return Sun(event, -after_min if found[2] == "-" else after_min)


SunOrClock = Annotated[Sun | int, BeforeValidator(_sun_or_clock)]
"""Minutes since local midnight, or by the sun."""
_NOW = SystemClock().wall_ms


class HoursSection(Section):
    """Hours of some days, local time or by the sun; an end before the start is on the next day."""

    start: Annotated[SunOrClock, Field(alias="from")]
    end: Annotated[SunOrClock, Field(alias="to")]
    days: tuple[Day, ...] = ()

    def hours(self, calendar: Calendar = PLAIN) -> Hours:
        """As a rule takes them."""
        weekdays = [_WEEKDAYS.index(day) for day in self.days if day != "holiday"]
        return calendar.hours(self.start, self.end, weekdays, on_holidays="holiday" in self.days)

    @property
    def needs_sky(self) -> bool:
        """Do these hours go by the sun?"""
        return isinstance(self.start, Sun) or isinstance(self.end, Sun)

    @model_validator(mode="after")
    def _makes_sense(self) -> "HoursSection":
        self.hours()
        return self


class PlaceSection(Section):
    """Where the district lies: the sun rises and sets there."""

    latitude: Annotated[float, Field(ge=-65, le=65)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class EscalateSection(Section):
    """Who is told as well when nobody has taken an incident for so long."""

    after: Annotated[Duration, Field(gt=0)]
    channels: Annotated[tuple[str, ...], Field(min_length=1)]


class RuleSection(Section):
    """Who is told of what; an empty list means any."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    hours: tuple[HoursSection, ...] = ()
    min_score: float | None = None
    min_size: Annotated[float, Field(gt=0, le=1)] | None = None
    min_dwell: Duration | None = None
    severity: Literal["low", "normal", "high"] = "normal"
    cool_down: Duration = 60.0
    rings_an_hour: Annotated[int, Field(ge=1)] = 12
    channels: tuple[str, ...] = (SCREEN,)
    escalate: tuple[EscalateSection, ...] = ()

    def rule(self, calendar: Calendar = PLAIN) -> Rule:
        """As the rules' loop takes it. Raises ValueError with what is wrong."""
        return Rule(
            name=self.name,
            cameras=self.cameras,
            zones=self.zones,
            hours=tuple(hours.hours(calendar) for hours in self.hours),
            kinds=self.kinds,
            min_score=self.min_score,
            min_size=self.min_size,
            min_dwell_s=self.min_dwell,
            cool_down_s=self.cool_down,
            channels=self.channels,
            severity=self.severity,
            rings_an_hour=self.rings_an_hour,
            escalate=tuple(Escalate(step.after, step.channels) for step in self.escalate),
        )

    @model_validator(mode="after")
    def _makes_sense(self) -> "RuleSection":
        self.rule()
        return self


class ZaloSection(Section):
    """A Zalo bot: its token's file, and the chats of those who have written to it (`collector channel chats`)."""

    token_file: ConfigPath
    chats: tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,80}$")], ...] = ()
    api: str = ZALO_API

    @field_validator("api")
    @classmethod
    def _is_encrypted(cls, text: str) -> str:
        parts = urlsplit(text)
        if not parts.hostname or not (parts.scheme == "https" or is_this_machine(parts.hostname)):
            raise ValueError("must be https://HOST: the bot's token goes there")
        return text.rstrip("/")


class ChannelSection(Section):
    """A way to reach people: by Apprise, whose addresses hold secrets and stand in a file, or by a Zalo bot."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    urls_file: ConfigPath | None = None
    zalo: ZaloSection | None = None
    language: Literal["vi", "en"] = "vi"
    may_carry_pictures: bool = False

    @field_validator("name")
    @classmethod
    def _is_not_the_screen(cls, name: str) -> str:
        if name in (SCREEN, DUTY, DUTY_NEXT):
            raise ValueError(f"{name!r} has a meaning of its own: choose another name")
        return name

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "ChannelSection":
        if (self.urls_file is None) == (self.zalo is None):
            raise ValueError("give either urls_file or zalo")
        return self

    def channel(self, lend: Lend | None = None) -> Channel:
        """The channel itself. Raises ConfigInvalid when the file cannot be used."""
        if self.zalo is not None:
            return self.zalo_channel(self.zalo, lend)
        assert self.urls_file is not None  # noqa: S101 - one of the two is there
        try:
            if self.urls_file.stat().st_mode & 0o077:
                raise ConfigInvalid(
                    [f"{self.urls_file}: secret file is open to others. Do: chmod 600 {self.urls_file}"]
                )
            urls = read_urls(self.urls_file.read_text(encoding="utf-8"))
            return AppriseChannel(self.name, urls, self.language, self.may_carry_pictures)
        except OSError as error:
            raise ConfigInvalid([f"{self.urls_file}: cannot be read: {error.strerror}"]) from None
        except ValueError as error:
            raise ConfigInvalid([f"{self.urls_file}: {error}"]) from None

    def zalo_channel(self, zalo: ZaloSection, lend: Lend | None = None) -> ZaloChannel:
        """The bot. Raises ConfigInvalid when its token's file is no secret."""
        token = read_secret(zalo.token_file)
        return ZaloChannel(
            self.name, token, zalo.chats, self.language, lend if self.may_carry_pictures else None, zalo.api
        )


class ShiftSection(Section):
    """An officer's hours on duty, and the channel by which they are told; without hours, always."""

    officer: Annotated[str, Field(min_length=1, max_length=60)]
    channel: str
    hours: tuple[HoursSection, ...] = ()

    def shift(self) -> Shift:
        """As the roster takes it."""
        return Shift(self.officer, self.channel, tuple(each.hours() for each in self.hours) or (Hours(0, DAY_MINUTES),))


class RosterSection(Section):
    """Who is on duty when: the channels `duty` and `duty-next`. `otherwise` is told where nobody is."""

    shifts: Annotated[tuple[ShiftSection, ...], Field(min_length=1)]
    otherwise: tuple[str, ...] = ()
    language: Literal["vi", "en"] = "vi"

    @model_validator(mode="after")
    def _is_a_plain_week(self) -> "RosterSection":
        hours = [each for shift in self.shifts for each in shift.hours]
        if any(each.needs_sky or "holiday" in each.days for each in hours):
            raise ValueError("shifts go by the clock and by weekdays, not by the sun and not by holidays")
        gap = None if self.otherwise else first_gap(shift.shift() for shift in self.shifts)
        if gap is not None:
            when = f"{_WEEKDAYS[gap.weekday]} {gap.minute // 60:02d}:{gap.minute % 60:02d}"
            raise ValueError(f"nobody is on duty on {when}: fill the week, or name channels in `otherwise`")
        return self

    def channels(self, by_name: dict[str, Channel], zone: tzinfo, now_ms: Callable[[], int]) -> tuple[Channel, ...]:
        """`duty` and `duty-next` over the others."""
        shifts = tuple(shift.shift() for shift in self.shifts)

        def told(whom: Callable[[tuple[Shift, ...], LocalTime], list[str]]) -> Callable[[], list[str]]:
            return lambda: whom(shifts, local_time_at(now_ms(), zone))

        return (
            DutyChannel(DUTY, by_name, told(on_duty), self.otherwise, self.language),
            DutyChannel(DUTY_NEXT, by_name, told(next_on_duty), self.otherwise, self.language),
        )


class OutagesSection(Section):
    """Which technicians are told of boxes that are down and cameras that show nothing, and after how long."""

    channels: tuple[str, ...] = (SCREEN,)
    box_after: Duration = 0.0
    camera_after: Duration = 60.0


class AlertsSection(Section):
    """Rules and channels; without rules every episode is shown on the post's own screen."""

    rules: tuple[RuleSection, ...] = ()
    channels: tuple[ChannelSection, ...] = ()
    incident_gap: Duration = 60.0
    incident_longest: Duration = 3600.0
    late_after: Duration = 300.0
    holidays: tuple[date, ...] = ()
    place: PlaceSection | None = None
    roster: RosterSection | None = None
    outages: OutagesSection = OutagesSection()

    @model_validator(mode="after")
    def _fit_together(self) -> "AlertsSection":
        for what, given in (
            ("rules", [rule.name for rule in self.rules]),
            ("channels", [channel.name for channel in self.channels]),
        ):
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                raise ValueError(f"two {what} are called {', '.join(twice)}: give each its own name")
        of_people = {channel.name for channel in self.channels}
        known = {SCREEN, *of_people, *((DUTY, DUTY_NEXT) if self.roster is not None else ())}
        if self.roster is not None:
            for name in (*(shift.channel for shift in self.roster.shifts), *self.roster.otherwise):
                if name not in of_people:
                    raise ValueError(
                        f"roster: channel {name!r} is not configured; known: {', '.join(sorted(of_people))}"
                    )
        if self.place is None and any(hours.needs_sky for rule in self.rules for hours in rule.hours):
            raise ValueError("place: is missing; sunrise and sunset need its latitude and longitude")
        told = [(f"rule {rule.name} tells", rule.channels) for rule in self.rules]
        told += [(f"rule {rule.name} escalates to", step.channels) for rule in self.rules for step in rule.escalate]
        mute = {each.name for each in self.channels if each.zalo is not None and not each.zalo.chats}
        for who, names in (*told, ("outages tell", self.outages.channels)):
            for name in names:
                if name not in known:
                    raise ValueError(f"{who} channel {name!r}; known: {', '.join(sorted(known))}")
                if name in mute:
                    raise ValueError(
                        f"{who} channel {name!r}, which has no chats yet. Do: collector channel chats {name}"
                    )
        return self

    def channel_names(self) -> tuple[str, ...]:
        """The screen, those configured and the roster's."""
        duty = () if self.roster is None else (DUTY, DUTY_NEXT)
        return (SCREEN, *(channel.name for channel in self.channels), *duty)

    def grouping(self) -> Grouping:
        """When episodes are one incident, and when one is late."""
        return Grouping(gap_s=self.incident_gap, longest_s=self.incident_longest, late_after_s=self.late_after)

    def all_channels(
        self, lend: Lend | None = None, zone: tzinfo = UTC, now_ms: Callable[[], int] = _NOW
    ) -> tuple[Channel, ...]:
        """The screen, those configured and the roster's; `lend` gives links to pictures. Raises ConfigInvalid."""
        made = {channel.name: channel.channel(lend) for channel in self.channels}
        duty = () if self.roster is None else self.roster.channels(made, zone, now_ms)
        return (ScreenChannel(), *made.values(), *duty)

    @property
    def lends_pictures(self) -> bool:
        """Is there a channel that needs links to pictures?"""
        return any(channel.zalo is not None and channel.may_carry_pictures for channel in self.channels)
