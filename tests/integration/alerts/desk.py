"""A real database with boxes, cameras and episodes as ingest leaves them, and the alerting parts around it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from collector.alerts.bell import Bell
from collector.alerts.channels.protocol import Channel
from collector.alerts.delivery import Delivery, Patience
from collector.alerts.incidents import Grouping
from collector.alerts.loop import RulesLoop
from collector.alerts.rules import Rule
from collector.alerts.texts import AlertText, Language
from collector.store.database import open_database, upsert
from collector.store.schema import (
    alerts,
    boxes,
    cameras,
    changes,
    episodes,
    incident_episodes,
    incidents,
)
from tests.support.databases import fresh_database

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = 1_795_195_805_000


class Crash(BaseException):
    """The power goes: nothing after this line runs."""


class Phone:
    """A channel at the world's edge: keeps what it got, and fails or crashes as told."""

    def __init__(self, name: str = "phone", language: Language = "vi", may_carry_pictures: bool = False) -> None:
        self.name = name
        self.language: Language = language
        self.may_carry_pictures = may_carry_pictures
        self.got: list[tuple[str, AlertText, bytes | None]] = []
        self.before: list[BaseException | None] = []
        self.behind: list[BaseException | None] = []

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        self.got.append((alert, text, picture))
        if self.behind and (error := self.behind.pop(0)) is not None:
            raise error


class Desk:
    def __init__(self, folder: Path, rules: tuple[Rule, ...] = (), url: str | None = None) -> None:
        self.database = fresh_database(folder) if url is None else open_database(url)
        self.alerted = Bell()
        self.loop = RulesLoop(self.database, rules, Grouping(), ZONE, self.alerted)

    def add_camera(
        self, box: str, name: str, now_ms: int = NOW, *, site: str = "Trường học", commune: str = "Xã A"
    ) -> None:
        with self.database.write() as connection:
            upsert(connection, boxes, id=box, site=site, commune=commune, secret_hash="-", created_ms=now_ms)
            upsert(connection, cameras, id=f"{box}/{name}", box=box, name=name, first_seen_ms=now_ms, configured=True)

    def hear(
        self,
        episode: str,
        start_ms: int,
        last_ms: int | None = None,
        *,
        camera: str = "hop-1/gate",
        zones: Sequence[str] = (),
        received_ms: int | None = None,
        **more: Any,
    ) -> None:
        """What ingest does with a message about an episode."""
        last_ms = start_ms if last_ms is None else last_ms
        received_ms = last_ms if received_ms is None else received_ms
        values = {
            "id": episode, "box": camera.partition("/")[0], "camera": camera, "start_ms": start_ms, "last_ms": last_ms,
            "rectangle": [0, 0, 1, 1], "zones": list(zones), "score": 0.5, "kind": "motion", "path": [],
            "clock": "synced", "first_received_ms": received_ms, "received_ms": received_ms, "rules_ms": None,
        } | more  # fmt: skip
        with self.database.write() as connection:
            upsert(connection, episodes, **values)

    def delivery(self, channel: Channel, patience: Patience | None = None, **more: Any) -> Delivery:
        picture_of = more.pop("picture_of", lambda _episode: None)
        return Delivery(self.database, channel, picture_of, ZONE, "https://vg.example", patience or Patience())

    def rows(self, table: sa.Table, *columns: str) -> list[Any]:
        with self.database.read() as connection:
            query = sa.select(*(table.c[name] for name in columns)).order_by(table.c.id)
            found = connection.execute(query).all()
        return [tuple(row) if len(columns) > 1 else row[0] for row in found]

    def incidents(self, *columns: str) -> list[Any]:
        return self.rows(incidents, *columns)

    def alerts(self, *columns: str) -> list[Any]:
        return self.rows(alerts, *columns)

    def changes(self) -> list[str]:
        return self.rows(changes, "kind")

    def members(self) -> dict[str, str]:
        with self.database.read() as connection:
            rows = connection.execute(sa.select(incident_episodes.c.episode, incident_episodes.c.incident))
            return {row[0]: row[1] for row in rows}
