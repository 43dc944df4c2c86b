"""The collector's configuration file: its schema, and its conversion into the frozen values that the parts take.

configs/collector.yaml shows every option with its default; a test loads it.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from collector.alerts.channels.apprise import AppriseChannel, read_urls
from collector.alerts.channels.protocol import Channel
from collector.alerts.channels.screen import ScreenChannel
from collector.alerts.channels.zalo import API as ZALO_API
from collector.alerts.channels.zalo import Lend, ZaloChannel
from collector.alerts.incidents import Grouping
from collector.alerts.rules import ALL_WEEK, Escalate, Hours, Rule
from collector.identity.authority import AUTHORITY, COLLECTOR, COLLECTOR_KEY
from collector.identity.certificates import is_host
from collector.ingest.mqtt import BrokerAddress
from collector.retention import Limits
from collector.store.database import sqlite_url
from collector.store.desk import SCREEN
from vonggac.daemon.config import (
    ConfigInvalid,
    ConfigPath,
    Duration,
    MinuteOfDay,
    Section,
    Size,
    is_this_machine,
    load_config,
    read_secret,
)

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _split_address(text: object) -> object:
    if not isinstance(text, str):
        return text
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


Address = Annotated[tuple[str, int], BeforeValidator(_split_address)]
"""`HOST:PORT`; port 0 takes any free one."""


class TlsSection(Section):
    """Certificates for MQTT over TLS; `ca_file` alone checks the broker, the other two identify the collector."""

    ca_file: ConfigPath
    cert_file: ConfigPath | None = None
    key_file: ConfigPath | None = None

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> "TlsSection":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or neither")
        return self


class BrokerSection(Section):
    """`embedded` runs a broker of our own at `listen`; otherwise `host` names one that is there."""

    embedded: bool = False
    listen: Address = ("127.0.0.1", 1883)
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    user: str | None = None
    password_file: ConfigPath | None = None
    protocol: Literal["auto", "3.1.1", "5"] = "auto"
    tls: TlsSection | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> "BrokerSection":
        if self.embedded == (self.host is not None):
            raise ValueError("write either `broker: embedded` or a broker's host")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file go together: give both or neither")
        return self

    def address(self, identity: Path | None = None) -> BrokerAddress:
        """Of a broker that is not ours; `identity` is the authority's folder, whose certificates are used where none
        are named. Raises ConfigInvalid when the password's file is no secret."""
        if identity is not None and self.tls is None:
            files = (identity / AUTHORITY, identity / COLLECTOR, identity / COLLECTOR_KEY)
            return BrokerAddress(self.host or "", self.port, None, None, *files, self.protocol)
        return BrokerAddress(
            self.host or "",
            self.port,
            self.user,
            None if self.password_file is None else read_secret(self.password_file),
            None if self.tls is None else self.tls.ca_file,
            None if self.tls is None else self.tls.cert_file,
            None if self.tls is None else self.tls.key_file,
            self.protocol,
        )


def _embedded_by_name(value: object) -> object:
    return {"embedded": "true"} if value == "embedded" else value


class HttpSection(Section):
    """Pages, API and uploads. TLS is the business of the reverse proxy in front."""

    listen: Address = ("127.0.0.1", 8080)
    public_url: str | None = None

    @field_validator("public_url")
    @classmethod
    def _is_http(cls, text: str | None) -> str | None:
        if text is None:
            return None
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("must be http://HOST[:PORT] or https://HOST[:PORT], without a password")
        return text.rstrip("/")


class IdentitySection(Section):
    """Boxes prove who they are by certificates of an authority of our own; without this section, by a shared secret."""

    listen: Address = ("0.0.0.0", 8443)  # noqa: S104 - boxes come from elsewhere, and over mutual TLS alone
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    key_password_file: ConfigPath
    district: Annotated[str, Field(min_length=1, max_length=60)] = "Vọng Gác"
    certificate_life: Annotated[Duration, Field(ge=60)] = 365 * 86400.0
    broker_port: Annotated[int, Field(ge=1, le=65535)] = 8883

    @field_validator("names")
    @classmethod
    def _are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_host(name):
                raise ValueError(f"{name!r} is no host name and no address; write 10.20.0.5 or vonggac.xa.example")
        return names


class UploadSection(Section):
    """Clips from boxes."""

    listen: Address | None = None
    max_clip: Annotated[Size, Field(ge=2**20)] = 2 * 2**30
    keep_free: Size = 2 * 2**30


class DiskSection(Section):
    """The disk of the data folder. Without a value, both follow from `uploads.keep_free` and `retention.keep_free`."""

    tell_below: Size | None = None
    keep_free: Size | None = None


class RetentionSection(Section):
    """What is kept how long. What is under legal hold is deleted by nothing."""

    clips: Duration = 30 * 86400.0
    max_bytes: Size | None = None
    keep_free: Size = 5 * 2**30
    snapshots: Duration = 90 * 86400.0
    events: Duration = 365 * 86400.0
    episodes: Duration = 365 * 86400.0
    heartbeats: Duration = 30 * 86400.0

    def limits(self) -> Limits:
        """As retention takes them."""
        return Limits(
            clips_ms=round(self.clips * 1000),
            max_bytes=self.max_bytes,
            keep_free_bytes=self.keep_free,
            snapshots_ms=round(self.snapshots * 1000),
            events_ms=round(self.events * 1000),
            episodes_ms=round(self.episodes * 1000),
            heartbeats_ms=round(self.heartbeats * 1000),
        )


class HoursSection(Section):
    """Hours of some weekdays, local time; an end before the start is on the next day."""

    start: Annotated[MinuteOfDay, Field(alias="from")]
    end: Annotated[MinuteOfDay, Field(alias="to")]
    days: tuple[Weekday, ...] = ()

    def hours(self) -> Hours:
        """As a rule takes them."""
        return Hours(self.start, self.end, frozenset(_WEEKDAYS.index(day) for day in self.days) or ALL_WEEK)

    @model_validator(mode="after")
    def _makes_sense(self) -> "HoursSection":
        self.hours()
        return self


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
    severity: Literal["low", "normal", "high"] = "normal"
    cool_down: Duration = 60.0
    rings_an_hour: Annotated[int, Field(ge=1)] = 12
    channels: tuple[str, ...] = (SCREEN,)
    escalate: tuple[EscalateSection, ...] = ()

    def rule(self) -> Rule:
        """As the rules' loop takes it. Raises ValueError with what is wrong."""
        return Rule(
            name=self.name,
            cameras=self.cameras,
            zones=self.zones,
            hours=tuple(hours.hours() for hours in self.hours),
            kinds=self.kinds,
            min_score=self.min_score,
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
        if name == SCREEN:
            raise ValueError(f"{SCREEN!r} is always there: choose another name")
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
        known = {SCREEN, *(channel.name for channel in self.channels)}
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

    def grouping(self) -> Grouping:
        """When episodes are one incident, and when one is late."""
        return Grouping(gap_s=self.incident_gap, longest_s=self.incident_longest, late_after_s=self.late_after)

    def all_channels(self, lend: Lend | None = None) -> tuple[Channel, ...]:
        """The screen and those configured; `lend` gives links to pictures. Raises ConfigInvalid."""
        return (ScreenChannel(), *(channel.channel(lend) for channel in self.channels))

    @property
    def lends_pictures(self) -> bool:
        """Is there a channel that needs links to pictures?"""
        return any(channel.zalo is not None and channel.may_carry_pictures for channel in self.channels)


class CollectorConfig(Section):
    """The whole file."""

    data: ConfigPath
    database: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    time_zone: str = "Asia/Ho_Chi_Minh"
    broker: Annotated[BrokerSection, BeforeValidator(_embedded_by_name)]
    http: HttpSection = HttpSection()
    identity: IdentitySection | None = None
    closed_network: bool = False
    commune: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    uploads: UploadSection = UploadSection()
    disk: DiskSection = DiskSection()
    retention: RetentionSection = RetentionSection()
    alerts: AlertsSection = AlertsSection()

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, text: str) -> str:
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone that this machine knows; write Asia/Ho_Chi_Minh") from None
        return text

    @field_validator("database")
    @classmethod
    def _is_a_database(cls, text: str | None) -> str | None:
        if text is not None and not text.startswith(("sqlite:////", "postgresql+psycopg://")):
            raise ValueError("must be sqlite:////PATH or postgresql+psycopg://USER@HOST/NAME")
        return text

    @model_validator(mode="after")
    def _disk_fills_in_order(self) -> "CollectorConfig":
        if self.disk_tell_below < self.uploads.keep_free:
            raise ValueError("disk.tell_below is below uploads.keep_free: technicians would hear of it too late")
        if self.disk_keep_free > self.uploads.keep_free:
            raise ValueError("disk.keep_free is above uploads.keep_free: events would wait before clips do")
        return self

    @model_validator(mode="after")
    def _pictures_can_be_fetched(self) -> "CollectorConfig":
        if self.alerts.lends_pictures and not (self.http.public_url or "").startswith("https://"):
            raise ValueError(
                "alerts.channels: Zalo fetches pictures from http.public_url, which must then be an https:// address "
                "that the internet reaches; or take may_carry_pictures out"
            )
        return self

    @model_validator(mode="after")
    def _boxes_have_one_door(self) -> "CollectorConfig":
        if self.identity is None:
            host = self.broker.listen[0] if self.broker.embedded else self.broker.host or ""
            if self.broker.tls is None and not is_this_machine(host) and not self.closed_network:
                raise ValueError(
                    "broker: secrets would go over the line in the clear: write `identity`, or `closed_network: true` "
                    "where nobody else is on that line"
                )
            return self
        if self.uploads.listen is not None:
            raise ValueError("uploads.listen: with `identity` clips come to identity.listen; take this option out")
        if self.broker.user is not None:
            raise ValueError("broker.user: with `identity` the collector proves itself by its certificate")
        return self

    @property
    def broker_port_of_boxes(self) -> int:
        """Where boxes find the broker."""
        if self.broker.embedded or self.identity is None:
            return self.broker.listen[1]
        return self.identity.broker_port

    @property
    def disk_tell_below(self) -> int:
        """With less free, in bytes, technicians are told: above where uploads wait, below where old clips go."""
        if self.disk.tell_below is not None:
            return self.disk.tell_below
        uploads_wait, clips_go = self.uploads.keep_free, self.retention.keep_free
        return (uploads_wait + clips_go) // 2 if clips_go > uploads_wait else uploads_wait * 3 // 2

    @property
    def disk_keep_free(self) -> int:
        """With less free, in bytes, events wait with their boxes."""
        return min(100 * 2**20, self.uploads.keep_free) if self.disk.keep_free is None else self.disk.keep_free

    @property
    def database_url(self) -> str:
        """The database named, or the one in the data folder."""
        return self.database or sqlite_url(self.data.resolve() / "collector.sqlite")

    @property
    def zone(self) -> ZoneInfo:
        """For hours in rules, pages and messages."""
        return ZoneInfo(self.time_zone)


def load_collector_config(path: Path) -> CollectorConfig:
    """Read and check the file. Raises ConfigInvalid with every mistake."""
    return load_config(path, CollectorConfig)
