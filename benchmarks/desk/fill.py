"""Fills an empty database with a district's year: boxes, cameras, episodes, incidents, clips, snapshots, heartbeats.

Rows go in by the database's own bulk way with the indexes away, which are made anew afterwards. Times run up to now, so
that newest and oldest are in order as they would be; by day there is more motion than by night.
"""

import dataclasses
import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from collector.store import boxes, schema_desk
from collector.store.database import Database, open_database, upsert
from collector.store.schema import camera_states, clips, episodes, fleet_states, incident_episodes, incidents, silences
from collector.store.schema import snapshots as snapshot_table
from tests.support.duty import a_heartbeat
from vonggac.wire import messages as m
from vonggac.wire.ids import uuid7

YEAR_MS = 365 * 86_400_000
CAMERAS_A_BOX = 4
BOXES_A_COMMUNE = 25
ZONES = ("cổng", "lối đi", "sân trước", "làn xe", "vỉa hè", "kho")
OUTCOMES = ("real", "false", "known", "forwarded")
BIG = (episodes, incidents, incident_episodes, clips, snapshot_table)
AT_ONCE = 20_000
BOOT = "5f0c6a7e-3a53-4ab8-9e5d-1b9be1a2c3d4"
"""Of what boxes tell now; in the year before each box began anew every six days."""
OUTBOX = "01890a5d-0000-7000-8000-00000000000a"


Placed = tuple[sa.Table, tuple[Any, ...]]
"""A row and its table."""


@dataclass(frozen=True)
class District:
    """What was made."""

    episodes: int
    cameras: list[str]
    communes: list[str]
    incidents: int


def fill(url: str, episode_count: int, camera_count: int, now_ms: int, say: Callable[[str], None]) -> District:
    """Fill the database at this URL, which may not be there yet."""
    database = open_database(url)
    names = _fleet(database, camera_count, now_ms)
    indexes = [index for table in BIG for index in table.indexes]
    with database.write() as connection:
        for index in indexes:
            index.drop(connection)
    database.close()
    counts = [0]
    load = _sqlite if url.startswith("sqlite") else _postgresql
    load(url, _rows(names, episode_count, now_ms, counts), say)
    database = open_database(url)
    with database.write() as connection:
        for index in indexes:
            say(f"index {index.name}")
            index.create(connection)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE" if not url.startswith("sqlite") else "PRAGMA optimize")
    database.close()
    of_commune = CAMERAS_A_BOX * BOXES_A_COMMUNE
    communes = [f"Xã {number}" for number in range(math.ceil(camera_count / of_commune))]
    return District(episode_count, names, communes, counts[0])


def _fleet(database: Database, camera_count: int, now_ms: int) -> list[str]:
    names = []
    for number in range(math.ceil(camera_count / CAMERAS_A_BOX)):
        box, cameras = f"hop-{number:04d}", tuple(f"camera-{index}" for index in range(CAMERAS_A_BOX))
        beat = a_heartbeat(cameras)
        named = tuple(m.CameraInfo(name=name, has_sub=True) for name in cameras)
        birth = m.Birth(agent_version="0.1.0", cameras=named, config_hash="0" * 64)
        with database.write() as connection:
            boxes.add_box(connection, box, f"Điểm {number}", f"Xã {number // BOXES_A_COMMUNE}", "", now_ms - YEAR_MS)
            boxes.record_birth(connection, envelope(box, birth, now_ms, number), birth, now_ms - YEAR_MS)
            boxes.record_heartbeat(connection, envelope(box, beat, now_ms, 10**6), dataclasses.asdict(beat), now_ms)
            for kind, ref in (("box", box), *(("camera", f"{box}/{name}") for name in cameras)):
                upsert(
                    connection, fleet_states, kind=kind, ref=ref, state="up", since_ms=now_ms - YEAR_MS, reasons=[],
                    checked_ms=now_ms,
                )  # fmt: skip
            for days in range(0, 90, 3):
                at_ms = now_ms - days * 86_400_000 - 40_000_000
                connection.execute(
                    silences.insert().values(box=box, from_ms=at_ms, until_ms=at_ms + 900_000, kind="off")
                )
            for index, name in enumerate(cameras):
                for bad in (True, False):
                    since_ms = now_ms - 5 * 86_400_000 + index * 1000 + (0 if bad else 3_600_000)
                    connection.execute(
                        camera_states.insert().values(
                            message_id=f"{box}/{name}/{bad}", camera=f"{box}/{name}", aspect="picture", bad=bad,
                            since_ms=since_ms, received_ms=since_ms,
                        )
                    )  # fmt: skip
        names += [f"{box}/{name}" for name in cameras]
    return names[:camera_count]


def envelope(box: str, body: m.Body, now_ms: int, mono_ms: int, seq: int | None = None) -> m.Envelope:
    """A message of this box."""
    return m.Envelope(
        id=uuid7(now_ms, random.randbytes(10)), box=box, boot_id=BOOT, wall_ms=now_ms, mono_ms=mono_ms, clock="synced",
        body=body, seq=seq, outbox=None if seq is None else OUTBOX,
    )  # fmt: skip


def _rows(
    names: Sequence[str], count: int, now_ms: int, counts: list[int]
) -> Iterator[tuple[sa.Table, tuple[Any, ...]]]:
    """Each row with its table; columns in the order of COLUMNS."""
    chance = random.Random(7)
    step_ms = YEAR_MS / count
    path = json.dumps([[0, 0.4, 0.6], [1500, 0.45, 0.6], [3000, 0.55, 0.62]])
    zones = [json.dumps([zone]) for zone in ZONES] + ["[]", json.dumps(ZONES[:2])]
    for number in range(count):
        start_ms = round(now_ms - YEAR_MS + number * step_ms)
        camera = names[chance.randrange(len(names))]
        box = camera.partition("/")[0]
        name = uuid7(start_ms, chance.randbytes(10))
        boot = f"{number * 60 // count:08d}{BOOT[8:]}"
        is_rare = number % 1_000 == 999
        outcome = OUTCOMES[number % 4] if number % 20 == 0 else None
        end_ms = start_ms + 4_000 + number % 20_000
        yield episodes, (
            name, box, camera, start_ms, end_ms, end_ms, "told", boot, start_ms, end_ms, number, number + 4_000,
            "[0.42, 0.35, 0.58, 0.86]", zones[number % len(zones)], 0.3 + (number % 70) / 100,
            "tamper:covered" if is_rare else "motion", "quiet", path, "synced", outcome, start_ms + 300,
            end_ms + 300, end_ms + 400,
        )  # fmt: skip
        if number % 4 == 0:
            counts[0] += 1
            incident = uuid7(start_ms, chance.randbytes(10))
            is_new = count - number < 2_000
            state = "new" if is_new else "closed" if outcome else "acknowledged"
            yield incidents, (
                incident, "ban đêm", camera, "normal", start_ms, end_ms, start_ms + 400, state,
                None if is_new else start_ms + 60_000, None if is_new else "lan", outcome, 0,
            )  # fmt: skip
            yield incident_episodes, (incident, name, start_ms + 400)
        if number % 5 == 0:
            clip, sha256 = uuid7(start_ms, chance.randbytes(10)), f"{number:064x}"
            stored = "stored" if number > count * 11 // 12 else "deleted"
            yield clips, (
                clip, box, sha256, 1_200_000, stored, start_ms, name, camera, start_ms - 5_000, 12_000, "h264", False,
                f"clips/{clip}.mp4", start_ms + 9_000, False,
            )  # fmt: skip
            if number > count * 3 // 4:
                yield snapshot_table, (sha256, box, name, f"snapshots/{sha256}.jpg", 30_000, start_ms + 500)


COLUMNS: dict[str, tuple[str, ...]] = {
    "episodes": (
        "id", "box", "camera", "start_ms", "last_ms", "end_ms", "dated", "boot_id", "box_start_ms", "box_last_ms",
        "start_mono_ms", "last_mono_ms", "rectangle", "zones", "score", "kind", "reason", "path", "clock", "outcome",
        "first_received_ms", "received_ms", "rules_ms",
    ),
    "incidents": (
        "id", "rule", "camera", "severity", "start_ms", "last_ms", "created_ms", "state", "acknowledged_ms", "owner",
        "outcome", "late_ms",
    ),
    "incident_episodes": ("incident", "episode", "added_ms"),
    "clips": (
        "id", "box", "sha256", "size_bytes", "state", "announced_ms", "episode", "camera", "first_frame_ms",
        "duration_ms", "codec", "truncated", "path", "stored_ms", "held",
    ),
    "snapshots": ("sha256", "box", "episode", "path", "size_bytes", "received_ms"),
}  # fmt: skip


def _batches(rows: Iterable[Placed]) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """Rows by table, parents before children."""
    rows = iter(rows)
    while chunk := list(islice(rows, AT_ONCE * 2)):
        found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
        for table, row in chunk:
            found[table.name].append(row)
        yield found


def _sqlite(url: str, rows: Iterable[Placed], say: Callable[[str], None]) -> None:
    with sqlite3.connect(sa.make_url(url).database or "") as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        for number, batch in enumerate(_batches(rows)):
            for name, members in batch.items():
                columns = COLUMNS[name]
                marks = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", members)
            connection.commit()
            if number % 25 == 0:
                say(f"{(number + 1) * AT_ONCE * 2:,} rows")
    connection.close()


def _postgresql(url: str, rows: Iterable[Placed], say: Callable[[str], None]) -> None:
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is

    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection, connection.cursor() as cursor:
        for number, batch in enumerate(_batches(rows)):
            for name, members in batch.items():
                with cursor.copy(f"COPY {name} ({', '.join(COLUMNS[name])}) FROM STDIN") as copy:
                    for row in members:
                        copy.write_row(row)
            connection.commit()
            if number % 25 == 0:
                say(f"{(number + 1) * AT_ONCE * 2:,} rows")


NOTHING = schema_desk.NOT_MOTION  # its indexes belong to BIG: the module must be known before they are listed
