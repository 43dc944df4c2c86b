"""The database itself: migrations lead to the schema, writes are durable, retention and fsck keep their promises."""

import sqlite3
import threading
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from collector.ingest import places
from collector.ingest.intake import Outcome
from collector.ingest.receipts import GATHER_MS, Receipts, as_ranges
from collector.store import ledger
from collector.store.database import HEAD, open_database, sqlite_url
from collector.store.errors import StoreUnavailable, StoreUnusable
from collector.store.migrations import alembic_config
from collector.store.schema import metadata
from tests.support.collector import Station
from tests.support.databases import sqlite_only
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


@sqlite_only
def test_a_writer_gets_its_turn_beside_a_process_that_hardly_pauses(station: Station, tmp_path: Path) -> None:
    busy = threading.Event()
    file = next(tmp_path.rglob("*.sqlite"))

    def write_on_and_on() -> None:
        other = sqlite3.connect(file, isolation_level=None, timeout=10)
        while not busy.is_set():
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO counters VALUES ('other', 1) ON CONFLICT DO UPDATE SET value = value + 1")
            time.sleep(0.06)
            other.execute("COMMIT")
            time.sleep(0.02)  # the pauses that SQLite's own waiting, a tenth of a second long, mostly misses
        other.close()

    other = threading.Thread(target=write_on_and_on)
    other.start()
    try:
        for _ in range(5):
            start = time.monotonic()
            with station.database.write() as connection:
                ledger.count(connection, "mine")
            assert time.monotonic() - start < 2.0
    finally:
        busy.set()
        other.join()


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
