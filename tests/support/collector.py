"""A collector's store in a folder, and messages as a box would send them."""

import dataclasses
import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path

from collector.ingest.broker import hash_secret
from collector.ingest.intake import Arrived, Intake
from collector.store import boxes
from tests.support import messages as sample
from tests.support.databases import fresh_database
from vonggac.wire import codec, topics
from vonggac.wire import messages as m

SECRET = "box-secret"
NOW_MS = 1_790_000_020_000
_HASH = hash_secret(SECRET)


class Station:
    """A database with registered boxes, a data folder, and an intake over both."""

    def __init__(self, folder: Path, *box_ids: str) -> None:
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.database = fresh_database(folder)
        for box in box_ids or (sample.BOX,):
            self.add(box)
        self.intake = Intake(self.database, self.data)

    def add(self, box: str) -> None:
        with self.database.write() as connection:
            boxes.add_box(connection, box, "Nhà văn hoá", "Xã Một", _HASH, NOW_MS)

    def remove(self, box: str) -> None:
        with self.database.write() as connection:
            boxes.remove_box(connection, box, NOW_MS)

    def rows(self, table: str, *columns: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            names = ", ".join(columns) or "*"
            return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {names} FROM {table} ORDER BY 1, 2, 3")]

    def count(self, table: str) -> int:
        with self.database.read() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())

    def counters(self) -> dict[str, int]:
        return {str(name): int(str(value)) for name, value in self.rows_of("SELECT name, value FROM counters")}

    def rows_of(self, query: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]


def envelope(body: m.Body, seq: int | None = None, *, box: str = sample.BOX, **changes: object) -> m.Envelope:
    """An envelope with an id of its own, made from box, type and number."""
    made = sample.envelope(body, seq)
    message_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{box}/{body.type}/{made.seq}"))
    return dataclasses.replace(made, **{"id": message_id, "box": box, **changes})


def arrived(body: m.Body, seq: int | None = None, *, box: str = sample.BOX, received_ms: int = NOW_MS) -> Arrived:
    """The message as a broker delivers it, on its right topic."""
    return Arrived(topic_of(body, box), codec.encode(envelope(body, seq, box=box)), False, received_ms)


def topic_of(body: m.Body, box: str = sample.BOX) -> str:
    kinds = {m.Birth: "status", m.Offline: "status", m.Heartbeat: "heartbeat", m.Reply: "reply"}
    return topics.up(box, kinds.get(type(body), "event"))


def numbered(bodies: list[m.Body]) -> Iterator[Arrived]:
    """Sequenced messages with numbers from 1."""
    numbers = itertools.count(1)
    return (arrived(body, next(numbers)) for body in bodies)


JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 40
