"""The collector's configuration file: its schema, and its conversion into the frozen values that the parts take.

configs/collector.yaml shows every option with its default; a test loads it.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from collector.alerts.calendar import Calendar
from collector.alerts.rules import Rule
from collector.alerts.sky import Sky
from collector.config_alerts import AlertsSection
from collector.identity.authority import AUTHORITY, COLLECTOR, COLLECTOR_KEY
from collector.identity.certificates import is_host
from collector.ingest.mqtt import BrokerAddress
from collector.retention import Limits
from collector.store.database import sqlite_url
from vonggac.daemon.config import (
    ConfigPath,
    Duration,
    Section,
    Size,
    is_this_machine,
    load_config,
    read_secret,
)


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
    def calendar(self) -> Calendar:
        """What the hours of rules go by."""
        place = self.alerts.place
        sky = None if place is None else Sky(place.latitude, place.longitude, self.zone)
        return Calendar(frozenset(self.alerts.holidays), sky)

    def rules(self) -> tuple[Rule, ...]:
        """As the rules' loop takes them."""
        return tuple(rule.rule(self.calendar) for rule in self.alerts.rules)

    @property
    def zone(self) -> ZoneInfo:
        """For hours in rules, pages and messages."""
        return ZoneInfo(self.time_zone)


def load_collector_config(path: Path) -> CollectorConfig:
    """Read and check the file. Raises ConfigInvalid with every mistake."""
    return load_config(path, CollectorConfig)
