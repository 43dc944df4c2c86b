"""The database itself: migrations lead to the schema, writes are durable, retention and fsck keep their promises."""

import os
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from collector.fsck import check
from collector.ingest import places
from collector.ingest.clip_store import ClipStore
from collector.ingest.intake import Outcome
from collector.ingest.receipts import GATHER_MS, Receipts, as_ranges
from collector.retention import Limits, Retention
from collector.store import clips
from collector.store.database import HEAD, open_database, sqlite_url
from collector.store.errors import StoreUnavailable, StoreUnusable
from collector.store.migrations import alembic_config
from collector.store.schema import metadata
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import JPEG, NOW_MS, Station
from tests.support.databases import sqlite_only
from vonggac.wire import topics
from vonggac.wire.ids import uuid7

DAY_MS = 86_400_000


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


def test_migrations_lead_to_exactly_the_schema(tmp_path: Path) -> None:
    open_database(sqlite_url(tmp_path / "a.sqlite")).close()
    engine = sa.create_engine(sqlite_url(tmp_path / "a.sqlite"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert ScriptDirectory.from_config(alembic_config("")).get_current_head() == HEAD


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a.sqlite")
    database = open_database(url)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StoreUnusable, match="Install the newer collector again"):
        open_database(url)


@sqlite_only
def test_commits_are_synced_to_the_disk(station: Station) -> None:
    with station.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_a_failed_write_leaves_nothing(station: Station) -> None:
    def write_and_fail() -> None:
        with station.database.write() as connection:
            connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert station.count("meta") == 0


@sqlite_only
def test_a_full_database_is_unavailable_and_recovers(station: Station) -> None:
    with station.database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable), station.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', hex(zeroblob(100000)))")
    with station.database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        connection.exec_driver_sql("INSERT INTO meta VALUES ('a', hex(zeroblob(100000)))")
    assert station.count("meta") == 1


# --- receipts and places -----------------------------------------------------------------------------------------


def test_receipts_are_gathered_for_a_moment_and_told_as_ranges() -> None:
    receipts = Receipts()
    for number in (1, 2, 3, 7):
        receipts.add(Outcome("stored", "box", "o", number), 1000.0)
    receipts.add_clip("box", "c" * 64, 1050.0)
    receipts.add(Outcome("kept_aside"), 1000.0)
    assert receipts.due(1000.0 + GATHER_MS - 1) == []
    told = receipts.due(1000.0 + GATHER_MS)
    assert [(box, receipt.ranges, receipt.clips) for box, receipt in told] == [
        ("box", ((1, 3), (7, 7)), ()),
        ("box", (), ("c" * 64,)),
    ]
    assert receipts.due(9999.0) == []


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_exactly_the_numbers(numbers: set[int]) -> None:
    ranges = as_ranges(numbers)
    assert [number for first, last in ranges for number in range(first, last + 1)] == sorted(numbers)


@given(st.uuids())
def test_any_uuid_has_a_place_inside_its_folder(value: uuid.UUID) -> None:
    parts = places.clip_path("nha-01", "gate", str(value)).split("/")
    assert [len(part) for part in parts[1:4]] == [4, 2, 2]
    assert ".." not in parts


def test_a_clip_stands_under_its_day_box_and_camera() -> None:
    clip = uuid7(1_790_000_000_000, bytes(10))
    assert places.clip_path("nha-01", "gate", clip) == f"clips/2026/09/21/nha-01.gate/{clip}.mp4"


# --- retention and fsck ------------------------------------------------------------------------------------------


def store_clip(station: Station, age_days: float, size: int = 1000, *, held: bool = False) -> str:
    clip = uuid7(round(NOW_MS - age_days * DAY_MS), os.urandom(10))
    path = station.data / places.clip_path(sample.BOX, "gate", clip)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    upload = clips.Upload(
        id=clip, box=sample.BOX, clip=clip, sha256="0" * 64, size_bytes=size,
        path=str(path.relative_to(station.data)), created_ms=0,
    )  # fmt: skip
    with station.database.write() as connection:
        clips.finish_upload(connection, upload, round(NOW_MS - age_days * DAY_MS))
        connection.execute(sa.text("UPDATE clips SET held = :held WHERE id = :id"), {"held": held, "id": clip})
    return clip


def retention(station: Station, max_bytes: int | None = None, keep_free: int = 0) -> Retention:
    clock = FakeClock(NOW_MS)
    store = ClipStore(station.database, station.data, clock, lambda _box, _sha256: None)
    limits = Limits(30 * DAY_MS, max_bytes, keep_free, 90 * DAY_MS, 365 * DAY_MS, 30 * DAY_MS)
    return Retention(station.database, store, station.data, limits, clock)


def on_disk(station: Station) -> set[str]:
    return {path.stem for path in station.data.rglob("*.mp4")}


def test_old_clips_go_and_held_ones_stay(station: Station) -> None:
    old, held, young = store_clip(station, 31), store_clip(station, 400, held=True), store_clip(station, 29)
    assert retention(station).prune().clips == 1
    assert on_disk(station) == {held, young}
    assert station.rows_of(f"SELECT state, path FROM clips WHERE id = '{old}'") == [("deleted", None)]
    assert list(check(station.database, station.data, NOW_MS)) == []


def test_the_oldest_go_until_the_rest_fits(station: Station) -> None:
    kept = [store_clip(station, age) for age in (5, 4, 3, 2, 1)]
    held = store_clip(station, 20, held=True)
    assert retention(station, max_bytes=3500).prune().clip_bytes == 3000
    assert on_disk(station) == {*kept[3:], held}


def test_what_is_held_is_deleted_by_nothing_even_on_a_full_disk(station: Station) -> None:
    held = store_clip(station, 999, held=True)
    store_clip(station, 0.1)
    retention(station, max_bytes=0, keep_free=2**62).prune()
    assert on_disk(station) == {held}


def test_heartbeats_are_thinned_after_a_day(station: Station) -> None:
    with station.database.write() as connection:
        for step in range(120):
            connection.execute(
                sa.text("INSERT INTO heartbeat_history (box, received_ms, boot_id, body) VALUES (:b, :r, 'x', '{}')"),
                {"b": sample.BOX, "r": NOW_MS - DAY_MS - 3_600_000 + step * 60_000},
            )
    retention(station).prune()
    [(old,)] = station.rows_of(f"SELECT count(*) FROM heartbeat_history WHERE received_ms <= {NOW_MS - DAY_MS}")
    [(young,)] = station.rows_of(f"SELECT count(*) FROM heartbeat_history WHERE received_ms > {NOW_MS - DAY_MS}")
    assert (old, young) == (7, 59)
    assert retention(station).prune().heartbeats == 0


def test_fsck_finds_what_is_wrong_and_removes_only_what_belongs_to_nothing(station: Station) -> None:
    whole, short, gone = (store_clip(station, 1) for _ in range(3))
    station.intake.handle(topics.snapshot(sample.BOX, sample.EPISODE), JPEG, False, NOW_MS)
    paths = {path.stem: path for path in station.data.rglob("*.mp4")}
    paths[short].write_bytes(b"x")
    paths[gone].unlink()
    orphan = paths[whole].with_name("orphan.mp4")
    orphan.write_bytes(b"x")
    os.utime(orphan, (1, 1))
    [picture] = station.data.rglob("*.jpg")
    picture.write_bytes(bytes(len(JPEG)))
    later_ms = NOW_MS + DAY_MS
    kinds = sorted(finding.kind for finding in check(station.database, station.data, later_ms))
    assert kinds == ["missing", "orphan", "size"]
    deep = sorted(finding.kind for finding in check(station.database, station.data, later_ms, deep=True, repair=True))
    assert deep == ["hash", "hash", "missing", "orphan", "size"]
    assert not orphan.exists()
    assert paths[whole].exists()
