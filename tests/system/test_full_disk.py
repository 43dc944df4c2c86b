"""A collector whose disk fills up to the last byte and is emptied again: told in time, nothing lost."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.brokers import COLLECTOR, COLLECTOR_SECRET, Mosquitto, free_port, mosquitto_path
from tests.support.databases import ON_POSTGRESQL
from tests.support.light_box import LightBox
from tests.support.outbox_items import BOX, clip_file
from tests.support.small_disk import MIB, SmallDisk, small_disk
from tests.support.system import System, wait_for

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="the programs of this test keep SQLite")
OPTIONS = (
    "uploads: {keep_free: 50MiB}\nretention: {keep_free: 1MiB}\ndisk: {tell_below: 70MiB, keep_free: 25MiB}\n"
    "time_zone: Asia/Ho_Chi_Minh\n"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "server", 200 * MIB) as disk:
        yield disk


@pytest.fixture
def embedded(tmp_path: Path, disk: SmallDisk) -> Iterator[System]:
    system = System(tmp_path, OPTIONS)
    system.add_box(BOX)
    yield system
    system.kill()


@pytest.fixture
def over_mosquitto(tmp_path: Path, disk: SmallDisk) -> Iterator[System]:
    """A broker whose own disk has room: it acknowledges what the collector cannot take."""
    if mosquitto_path() is None:
        pytest.skip("needs Mosquitto: apt-get install mosquitto")
    password, port = tmp_path / "broker.secret", free_port()
    password.write_text(COLLECTOR_SECRET)
    password.chmod(0o600)
    signing_in = f"host: 127.0.0.1, port: {port}, user: {COLLECTOR}, password_file: broker.secret"
    system = System(tmp_path, OPTIONS, broker=f"{{{signing_in}}}")
    system.broker_port = port
    system.add_box(BOX)
    broker = Mosquitto(tmp_path / "broker", [BOX], {BOX: (tmp_path / f"{BOX}.secret").read_text().strip()}, port=port)
    broker.start()
    yield system
    system.kill()
    broker.kill()


def told(system: System) -> list[str]:
    with closing(sqlite3.connect(system.folder / "server/collector.sqlite")) as connection:
        rows = connection.execute("SELECT title FROM alerts WHERE kind = 'fleet' ORDER BY created_ms").fetchall()
        return [title.rpartition(": ")[0] for (title,) in rows]


@pytest.mark.parametrize(
    ("broker", "put_off"),
    [("embedded", "boxes keep their events"), ("over_mosquitto", "messages wait at the broker")],
)
def test_technicians_are_told_then_clips_wait_then_events_and_nothing_is_lost(
    tmp_path: Path, disk: SmallDisk, request: pytest.FixtureRequest, broker: str, put_off: str
) -> None:
    system: System = request.getfixturevalue(broker)
    system.serve()
    assert system.collector is not None
    box = LightBox(system, tmp_path / "box")
    try:
        for _ in range(20):
            box.put()
        box.wait_until_empty()
        assert told(system) == []

        disk.leave(60 * MIB)
        wait_for(lambda: told(system) == ["Đĩa máy chủ sắp đầy"], "the technicians' alert")
        box.outbox.put_clip(*clip_file(tmp_path / "box", 10_001, 100_000))
        box.wait_until_empty()

        disk.leave(40 * MIB)
        box.outbox.put_clip(*clip_file(tmp_path / "box", 10_002, 100_000))
        wait_for(lambda: not box.outbox.stats().events, "the clip's event to be taken")
        wait_for(lambda: "no room above the reserve" in system.collector.log.read_text(), "the upload to be put off")
        assert box.outbox.stats().clips == 1

        disk.leave(0)
        before = box.outbox.last_seq()
        for _ in range(60):
            box.put()
        wait_for(lambda: put_off in system.collector.log.read_text(), "events to be put off")
        assert box.outbox.stats().events == box.outbox.last_seq() - before
        assert system.collector.process.poll() is None

        disk.empty()
        wait_for(lambda: len(told(system)) == 2, "the technicians' second alert")
        box.upload_anew()
        box.wait_until_empty()
        last_seq = box.outbox.last_seq()
    finally:
        box.close()
    assert told(system) == ["Đĩa máy chủ sắp đầy", "Đĩa máy chủ có chỗ trở lại"]
    (row,) = [json.loads(line) for line in system.run("boxes", "--json").splitlines()]
    assert row["missing_events"] == 0
    with closing(sqlite3.connect(tmp_path / "server/collector.sqlite")) as connection:
        numbers = [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")]
        assert numbers == list(range(1, last_seq + 1))
        assert connection.execute("SELECT count(*) FROM clips WHERE state <> 'stored'").fetchone() == (0,)
    assert "well" in system.run("fsck", "--deep")
    assert system.stop() == {"collector": 0}
    assert system.collector.lines("critical") == []


def test_a_collector_that_starts_on_a_full_disk_waits_for_room(disk: SmallDisk, embedded: System) -> None:
    disk.leave(0)
    collector = embedded.launch()
    wait_for(lambda: "waiting for room to start" in collector.log.read_text(), "the collector's word")
    assert collector.process.poll() is None
    disk.empty()
    wait_for(lambda: "collector is ready" in collector.log.read_text(), "the collector")
    assert embedded.stop() == {"collector": 0}


def test_a_collector_that_waits_for_room_ends_when_told(disk: SmallDisk, embedded: System) -> None:
    disk.leave(0)
    collector = embedded.launch()
    wait_for(lambda: "waiting for room to start" in collector.log.read_text(), "the collector's word")
    assert embedded.stop() == {"collector": 0}
    assert "collector is ready" not in collector.log.read_text()
