"""Back-off, quantities, durable files, clock."""

import os
import random

import pytest

from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import SystemClock, new_id
from vonggac.daemon.files import make_folder, write_durably
from vonggac.daemon.quantities import parse_duration_s, parse_minute_of_day, parse_size_bytes
from vonggac.daemon.sqlite import open_sqlite
from vonggac.wire.ids import is_uuid


def test_back_off_doubles_up_to_its_cap_with_jitter_and_starts_over():
    backoff = Backoff(first_s=1, cap_s=8, rng=random.Random(7))
    waits = [backoff.next_s() for _ in range(7)]
    for wait, step in zip(waits, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert step / 2 <= wait <= step
    assert len(set(waits)) == len(waits)
    backoff.reset()
    assert backoff.next_s() <= 1


def test_a_durable_file_has_its_mode_whatever_the_umask(tmp_path):
    """Enrolment runs with umask 077, and writes a configuration that another user reads."""
    before = os.umask(0o077)
    try:
        write_durably(tmp_path / "edge.yaml", b"box: one", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "edge.yaml").stat().st_mode & 0o777 == 0o644


def test_back_off_never_overflows():
    backoff = Backoff(first_s=1, cap_s=30)
    assert all(backoff.next_s() <= 30 for _ in range(5000))


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("2h", 7200), ("7d", 604800), ("250ms", 0.25), ("1.5", 1.5)]
)
def test_durations(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(("text", "size"), [("500MB", 500_000_000), ("20GiB", 20 * 2**30), ("7", 7), ("1.5kiB", 1536)])
def test_sizes(text, size):
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("6:05", 365), ("22:30", 1350), ("24:00", 1440)])
def test_times_of_day(text, minute):
    assert parse_minute_of_day(text) == minute


@pytest.mark.parametrize("text", ["24:01", "12:60", "12", "noon", "-1:00"])
def test_what_is_no_time_of_day(text):
    with pytest.raises(ValueError, match="is no time of day"):
        parse_minute_of_day(text)


def test_a_durable_write_replaces_the_file_and_leaves_nothing_else(tmp_path):
    make_folder(tmp_path / "a" / "b")
    target = tmp_path / "a" / "b" / "f"
    write_durably(target, b"one")
    write_durably(target, b"two")
    assert target.read_bytes() == b"two"
    assert [file.name for file in target.parent.iterdir()] == ["f"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_sqlite_opens_with_wal_and_full_sync(tmp_path):
    connection = open_sqlite(tmp_path / "new" / "x.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    connection.close()


def test_the_system_clock_relates_its_two_times():
    clock = SystemClock()
    mono_ms = clock.mono_ms()
    assert abs(clock.wall_ms_at(mono_ms - 5000) - (clock.wall_ms() - 5000)) < 500
    assert clock.state() in ("synced", "holdover", "unset")
    assert is_uuid(clock.boot_id)
    assert is_uuid(new_id(clock))
