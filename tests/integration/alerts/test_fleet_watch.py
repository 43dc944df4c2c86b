"""The fleet's watch on a real database: states, outages and what technicians are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from collector.alerts.channels.screen import ScreenChannel
from collector.store.schema import camera_states
from tests.integration.alerts.desk import Desk
from tests.integration.alerts.fleet import Fleet, work_on
from vonggac.wire import messages as m


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    desk = Desk(tmp_path)
    desk.add_camera("hop-1", "gate")
    desk.add_camera("hop-1", "hall")
    made = Fleet(desk)
    named = tuple(m.CameraInfo(name=name, has_sub=False) for name in ("gate", "hall"))
    made.say(m.Birth(agent_version="1", cameras=named, config_hash="c"))
    made.clock.advance(60_000)
    yield made
    desk.database.close()


ALL_UP = {"hop-1": "up", "hop-1/gate": "up", "hop-1/hall": "up"}


def test_a_box_that_beats_is_up_and_so_are_its_cameras(fleet: Fleet) -> None:
    fleet.go(120, beating=True)
    assert fleet.states() == ALL_UP
    assert fleet.outages() == []
    assert fleet.told() == []


def test_a_silent_box_is_late_then_down_and_one_alert_is_told_not_one_a_camera(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    beaten_ms = fleet.clock.wall_ms() - 30_000
    fleet.go(60)
    assert fleet.states() == ALL_UP | {"hop-1": "late"}
    fleet.go(120)
    assert fleet.states() == {"hop-1": "down", "hop-1/gate": "unreachable", "hop-1/hall": "unreachable"}
    assert fleet.told() == [("No word from the box: Trường học", True)]
    assert fleet.outages() == [
        ("hop-1", "down", beaten_ms, None),
        ("hop-1/gate", "unreachable", beaten_ms, None),
        ("hop-1/hall", "unreachable", beaten_ms, None),
    ]
    fleet.go(300)
    assert len(fleet.told()) == 1


def test_a_box_that_comes_back_ends_its_outage_and_is_told_quietly(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.go(240)
    fleet.go(60, beating=True)
    assert fleet.states() == ALL_UP
    assert all(end_ms is not None for *_, end_ms in fleet.outages())
    assert fleet.told() == [("No word from the box: Trường học", True), ("The box is back: Trường học", False)]


def test_a_last_will_makes_a_box_down_after_ninety_seconds(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.say(m.Offline(reason="lost"))
    fleet.go(20)
    assert fleet.states()["hop-1"] == "late"
    fleet.go(80)
    assert fleet.states()["hop-1"] == "down"


def test_a_blind_camera_is_told_once_it_has_lasted_a_minute(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.go(40, beating=True, hall_age_ms=45_000)
    assert fleet.states() == {"hop-1": "degraded", "hop-1/gate": "up", "hop-1/hall": "blind"}
    assert fleet.told() == []
    fleet.go(60, beating=True, hall_age_ms=75_000)
    assert fleet.told() == [("The camera shows nothing: hall, Trường học", True)]
    fleet.go(60, beating=True)
    assert fleet.states() == ALL_UP
    assert fleet.told()[1:] == [("The camera shows a picture again: hall, Trường học", False)]


def test_a_camera_that_blinks_shorter_than_a_minute_tells_nobody(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.go(30, beating=True, hall_age_ms=45_000)
    fleet.go(60, beating=True)
    assert fleet.told() == []
    assert [(ref, state) for ref, state, _, _ in fleet.outages()] == [("hop-1/hall", "blind")]


def test_an_event_says_at_once_that_a_camera_is_gone(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.beat()
    fleet.clock.advance(1000)
    fleet.say(m.CameraState(camera="hall", state="down", since_ms=fleet.clock.wall_ms()))
    fleet.go(2)
    assert fleet.states()["hop-1/hall"] == "blind"
    with fleet.desk.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(camera_states)) == 1


def test_while_the_collector_itself_is_deaf_nobody_is_late(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.listening = False
    fleet.go(600)
    assert fleet.states() == ALL_UP
    fleet.listening = True
    fleet.go(60)
    assert fleet.states() == ALL_UP
    fleet.go(10)
    assert fleet.states()["hop-1"] == "late"


def test_a_collector_that_was_off_for_a_night_alarms_nobody_when_it_starts(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.clock.advance(8 * 3_600_000)
    fleet.watch = fleet.new_watch()
    fleet.go(20)
    fleet.go(60, beating=True)
    assert fleet.states() == ALL_UP
    assert fleet.told() == []


def test_a_step_of_the_collectors_clock_makes_no_box_late(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.clock.step_wall(7_200_000)
    fleet.go(30)
    assert fleet.states() == ALL_UP


def test_a_box_under_maintenance_rests(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    with fleet.desk.database.write() as connection:
        work_on(connection, "box", "hop-1", fleet.clock.wall_ms(), 600_000)
    fleet.go(590)
    assert set(fleet.states().values()) == {"maintenance"}
    assert fleet.told() == []
    fleet.go(60, beating=True)
    assert fleet.states() == ALL_UP


def test_a_quiet_fleet_writes_no_changes(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    before = len(fleet.desk.changes())
    fleet.go(120, beating=True)
    assert len(fleet.desk.changes()) == before


def test_a_full_disk_is_a_reason_that_the_live_feed_hears_of(fleet: Fleet) -> None:
    fleet.go(30, beating=True)
    fleet.go(30, beating=True, disk_free_bytes=1, disk_total_bytes=100)
    assert fleet.states()["hop-1"] == "degraded"
    assert fleet.desk.changes()[-1] == "box"


def test_what_is_told_goes_out_over_the_same_queue(fleet: Fleet) -> None:
    fleet.go(60, beating=True)
    fleet.go(240)
    delivery = fleet.desk.delivery(fleet.phone)
    assert delivery.step(fleet.clock.wall_ms) is True
    ((_, text, _),) = fleet.phone.got
    assert text.body.splitlines()[1:] == [
        "Site: Trường học",
        "Reason: no sign of life",
        "See: https://vg.example/boxes",
    ]
    assert fleet.desk.delivery(ScreenChannel()).step(fleet.clock.wall_ms) is False
