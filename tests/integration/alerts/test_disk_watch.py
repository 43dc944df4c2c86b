"""The collector's own disk: technicians hear of it once, in time, and once when it is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from collector.fleet.disk import DiskWatch
from collector.fleet.telling import Telling
from collector.fleet.watch import FleetWatch
from collector.store.schema import outages
from tests.integration.alerts.desk import NOW, ZONE, Desk, Phone
from tests.support.clock import FakeClock
from vonggac.daemon.threads import Pulse, Stop

LIMIT = 3_000_000_000
WAIT = 2_000_000_000
LOW = ("The server's disk is filling up: 2.9 GB left", True)
ROOMY = ("The server's disk has room again: 3.4 GB left", False)


class Disk:
    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.free_bytes = 10**12
        self.telling = Telling((Phone("a", language="en"), Phone("b", language="en")), ZONE)
        self.start()

    def start(self) -> None:
        self.watch = DiskWatch(self.desk.database, self.telling, lambda: self.free_bytes, LIMIT, WAIT)

    def at(self, *frees: int) -> None:
        for step, free_bytes in enumerate(frees):
            self.free_bytes = free_bytes
            self.watch.step(NOW + step)

    def told(self) -> list[tuple[str, bool]]:
        return self.desk.alerts("title", "rings")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    disk.desk.database.close()


def test_every_channel_is_told_once_and_once_more_when_there_is_room(disk: Disk) -> None:
    disk.at(LIMIT + 1, LIMIT, 2_900_000_000, 2_000_000_000, 5)
    assert disk.told() == [LOW, LOW]
    disk.at(3_299_000_000, 3_400_000_000, 10**12)
    assert sorted(disk.told()) == sorted([LOW, LOW, ROOMY, ROOMY])


def test_a_disk_that_hovers_at_the_limit_is_told_of_once(disk: Disk) -> None:
    disk.at(*(LIMIT + sign * 1_000_000 for sign in (1, -1) * 20))
    assert len(disk.told()) == 2


def test_a_restart_repeats_nothing(disk: Disk) -> None:
    disk.at(2_900_000_000)
    disk.start()
    disk.at(2_800_000_000)
    assert disk.told() == [LOW, LOW]


def test_it_fills_up_again_and_is_told_again(disk: Disk) -> None:
    disk.at(2_900_000_000, 3_400_000_000, 2_900_000_000)
    assert [title for title, rings in disk.told() if rings] == [LOW[0]] * 4
    with disk.desk.database.read() as connection:
        ends = connection.scalars(sa.select(outages.c.end_ms).order_by(outages.c.start_ms)).all()
    assert [end is None for end in ends] == [False, True]


def test_the_fleets_loop_looks_at_the_disk_and_wakes_who_delivers(disk: Disk) -> None:
    disk.free_bytes = 2_900_000_000
    ear, stop = disk.desk.alerted.listen(), Stop()
    FleetWatch(disk.desk.database, disk.telling, disk.desk.alerted, lambda: True, disk=StopAfter(disk.watch, stop)).run(
        Pulse("fleet", 60), stop, FakeClock(NOW)
    )
    assert disk.told() == [LOW, LOW]
    assert ear.wait(0)


class StopAfter(DiskWatch):
    """Asks its loop to stop after one step."""

    def __init__(self, watch: DiskWatch, stop: Stop) -> None:
        self._watch = watch
        self._stop = stop

    def step(self, now_ms: int) -> int:
        self._stop.set("one step is enough")
        return self._watch.step(now_ms)
