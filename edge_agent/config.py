"""The agent's configuration file: its schema, and its conversion into the frozen values that the parts take.

configs/edge.yaml shows every option with its default; a test loads it.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edge_agent.camera.source import SourceAddress
from edge_agent.outbox.budget import DiskLimits
from edge_agent.vision.schedule import EVERY_DAY, Schedule, Window
from edge_agent.vision.settings import MotionSettings, Polygon, Zone
from vonggac.daemon.config import (
    BoxId,
    CameraName,
    ConfigPath,
    Duration,
    MinuteOfDay,
    Section,
    Size,
    is_this_machine,
    load_config,
    read_secret,
)

LEAST_KBPS = 16
PINNED_KEYS = Path("/etc/vonggac/release.keys")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Point = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
Area = Annotated[tuple[Point, ...], Field(min_length=3)]
Sensitivity = Annotated[int, Field(ge=1, le=5)]


class WindowSection(Section):
    """Hours of some weekdays, local time; an end before the start is on the next day."""

    start: Annotated[MinuteOfDay, Field(alias="from")]
    end: Annotated[MinuteOfDay, Field(alias="to")]
    days: tuple[Weekday, ...] = ()

    def window(self) -> Window:
        """As the detector's schedule takes it."""
        days = frozenset(_WEEKDAYS.index(day) for day in self.days) or EVERY_DAY
        return Window(self.start, self.end, days)

    @model_validator(mode="after")
    def _makes_sense(self) -> "WindowSection":
        self.window()
        return self


class ZoneSection(Section):
    """An area that motion must touch."""

    name: str
    area: Area
    sensitivity: Sensitivity | None = None


class NightSection(WindowSection):
    """Other settings for some hours of the day."""

    sensitivity: Sensitivity | None = None
    min_size: float | None = None
    min_duration: Duration | None = None


class MotionSection(Section):
    """What counts as motion on one camera."""

    sensitivity: Sensitivity = 3
    min_size: Annotated[float, Field(gt=0, le=0.5)] | None = None
    min_duration: Duration = 0.3
    end_after: Duration = 3.0
    max_episode: Duration = 120.0
    zones: tuple[ZoneSection, ...] = ()
    masks: tuple[Area, ...] = ()
    schedule: tuple[WindowSection, ...] = ()
    night: NightSection | None = None

    def settings(self, *, at_night: bool = False) -> MotionSettings:
        """The detector's settings by day or by night. Raises ValueError with what is wrong."""
        night = self.night if at_night else None
        return MotionSettings(
            sensitivity=(night.sensitivity if night else None) or self.sensitivity,
            min_size=(night.min_size if night else None) or self.min_size,
            min_duration_s=self.min_duration if night is None or night.min_duration is None else night.min_duration,
            end_after_s=self.end_after,
            max_episode_s=self.max_episode,
            zones=tuple(Zone(zone.name, _polygon(zone.area), zone.sensitivity) for zone in self.zones),
            masks=tuple(_polygon(mask) for mask in self.masks),
        )

    def hours(self) -> Schedule:
        """When motion is looked for; empty is always."""
        return Schedule(tuple(window.window() for window in self.schedule))

    def night_hours(self) -> Schedule | None:
        """When the night's settings hold; None when there are none."""
        return Schedule((self.night.window(),)) if self.night else None

    @model_validator(mode="after")
    def _makes_sense(self) -> "MotionSection":
        self.settings()
        self.settings(at_night=True)
        return self


def _polygon(area: tuple[tuple[float, float], ...]) -> Polygon:
    return tuple((x, y) for x, y in area)


class CameraSection(Section):
    """One camera. `sub` is its small stream: looked at in place of the main one, which is then only copied."""

    name: CameraName
    source: str
    sub: str | None = None
    user: str | None = None
    password_file: ConfigPath | None = None
    serial: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    pre_roll: Annotated[Duration, Field(le=60)] = 5.0
    post_roll: Annotated[Duration, Field(le=60)] = 3.0
    ring: Annotated[Size, Field(ge=2**20)] = 32 * 2**20
    open_deadline: Annotated[Duration, Field(ge=1, le=120)] = 10.0
    read_deadline: Annotated[Duration, Field(ge=1, le=120)] = 10.0
    motion: MotionSection = MotionSection()

    @field_validator("source", "sub")
    @classmethod
    def _is_a_source(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None or SourceAddress.parse(text).kind != "file" or text.startswith(("/", "~", "file:")):
            return text
        folder: Path = (info.context or {}).get("folder", Path())
        return str(folder / text)

    @model_validator(mode="after")
    def _login_is_whole(self) -> "CameraSection":
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together: give both or neither")
        return self

    def address(self, text: str) -> SourceAddress:
        """The address of one of its streams, with the login from the secret file. Raises ConfigInvalid."""
        password = read_secret(self.password_file) if self.password_file else ""
        return SourceAddress.parse(text, self.user or "", password)


class TlsSection(Section):
    """Certificates for MQTT over TLS; `ca_file` alone checks the broker, the other two identify the box."""

    ca_file: ConfigPath
    cert_file: ConfigPath | None = None
    key_file: ConfigPath | None = None


class BrokerSection(Section):
    """Where events go. The box id is the user name."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    protocol: Literal["auto", "3.1.1", "5"] = "auto"
    password_file: ConfigPath | None = None
    tls: TlsSection | None = None


class CollectorSection(Section):
    """Where clips go."""

    url: str
    ca_file: ConfigPath | None = None

    @field_validator("url")
    @classmethod
    def _is_http(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("must be http://HOST[:PORT] or https://HOST[:PORT], without a password")
        return text.rstrip("/")


class UplinkHoursSection(WindowSection):
    """Another limit in some hours of the day; 0: clips wait, events and pictures go on."""

    max_kbps: Annotated[int, Field(ge=0)]

    @field_validator("max_kbps")
    @classmethod
    def _moves_or_waits(cls, kbps: int) -> int:
        if 0 < kbps < LEAST_KBPS:
            raise ValueError(f"must be 0, for clips that wait, or at least {LEAST_KBPS}")
        return kbps


class UplinkSection(Section):
    """How the household's line is shared."""

    max_kbps: Annotated[int, Field(ge=LEAST_KBPS)] | None = None
    give_way: bool = True
    hours: tuple[UplinkHoursSection, ...] = ()

    def kbps_at(self, local: datetime) -> int | None:
        """The limit for clips at a local time, of the first window that holds; None without one."""
        minute = local.hour * 60 + local.minute
        holding = (hours.max_kbps for hours in self.hours if hours.window().holds(minute, local.weekday()))
        return next(holding, self.max_kbps)


class DiskSection(Section):
    """What the agent may fill. What was delivered goes first, then the oldest; never an event."""

    budget: Size = 20 * 2**30
    keep_free: Size = 2**30
    keep_free_share: Annotated[float, Field(ge=0, lt=1)] = 0.05

    def limits(self) -> DiskLimits:
        """As the outbox's budget takes them."""
        return DiskLimits(self.budget, self.keep_free, self.keep_free_share)


class UpdateSection(Section):
    """Where releases lie, whose signatures count, and how long a new one has to prove itself."""

    root: ConfigPath = Path("/opt/vonggac")
    keys: ConfigPath = PINNED_KEYS
    probation: Annotated[Duration, Field(ge=1, le=240)] = 180.0
    steady: Annotated[Duration, Field(ge=0, le=120)] = 60.0
    poll: Annotated[Duration, Field(ge=0.1, le=30)] = 5.0

    @model_validator(mode="after")
    def _can_be_passed(self) -> "UpdateSection":
        if self.steady >= self.probation:
            raise ValueError("update.steady must be shorter than update.probation: nothing could pass")
        return self


class EdgeConfig(Section):
    """The whole file."""

    box: BoxId
    data: ConfigPath
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    heartbeat: Annotated[Duration, Field(ge=1, le=600)] = 30.0
    time_zone: str = "Asia/Ho_Chi_Minh"
    identity: ConfigPath | None = None
    closed_network: bool = False
    broker: BrokerSection
    collector: CollectorSection
    uplink: UplinkSection = UplinkSection()
    disk: DiskSection = DiskSection()
    update: UpdateSection = UpdateSection()
    cameras: Annotated[tuple[CameraSection, ...], Field(min_length=1)]

    @field_validator("cameras")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraSection, ...]) -> tuple[CameraSection, ...]:
        names = [camera.name for camera in cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two cameras are called {', '.join(twice)}: give each its own name")
        return cameras

    @model_validator(mode="after")
    def _proves_itself_one_way(self) -> "EdgeConfig":
        if self.identity is None:
            if self.broker.password_file is None:
                raise ValueError("write `identity` (see edge-agent enrol), or broker.password_file")
            in_the_clear = self.broker.tls is None and not is_this_machine(self.broker.host)
            url = urlsplit(self.collector.url)
            in_the_clear = in_the_clear or (url.scheme == "http" and not is_this_machine(url.hostname or ""))
            if in_the_clear and not self.closed_network:
                raise ValueError(
                    "the secret would go over the line in the clear: write `identity` (see edge-agent enrol), or "
                    "`closed_network: true` where nobody else is on that line"
                )
            return self
        if self.broker.password_file is not None or self.broker.tls is not None or self.collector.ca_file is not None:
            raise ValueError("with `identity`, take out broker.password_file, broker.tls and collector.ca_file")
        if not self.collector.url.startswith("https://"):
            raise ValueError("collector.url: must be https:// with `identity`; nothing goes in the clear")
        return self

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, text: str) -> str:
        return check_time_zone(text)


def check_time_zone(name: str) -> str:
    """The name, if the machine knows it; ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone that this machine knows; write Asia/Ho_Chi_Minh") from None
    return name


def load_edge_config(path: Path) -> EdgeConfig:
    """Read and check the file. Raises ConfigInvalid with every mistake."""
    return load_config(path, EdgeConfig)


def config_hash(config: EdgeConfig) -> str:
    """SHA-256 over the options as read: tells the collector whether two boxes, or two starts, are configured alike."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()
