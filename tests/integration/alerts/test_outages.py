"""Outages of many boxes at once, on a real database: one outage, one alert, one word when they are back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collector.store.schema import outages
from collector.store.upkeep import lift_window
from tests.integration.alerts.desk import Desk
from tests.integration.alerts.fleet import Fleet, work_on
from vonggac.wire import messages as m

NEW_BOOT = "01890a5d-0000-7000-8000-0000000000bb"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    desk = Desk(tmp_path)
    yield Fleet(desk)
    desk.database.close()


def settle(fleet: Fleet, **places: int) -> list[str]:
    """`A_school=3`: three boxes there, each heard of; returns all."""
    made = []
    for place, count in places.items():
        commune, site = place.split("_")
        for number in range(count):
            box = f"{site}-{number}"
            fleet.desk.add_camera(box, "gate", site=site, commune=commune)
            fleet.say(
                m.Birth(agent_version="1", cameras=(m.CameraInfo(name="gate", has_sub=False),), config_hash="c"), box
            )
            made.append(box)
    fleet.clock.advance(60_000)
    fleet.go_with(60, made)
    assert set(fleet.states().values()) == {"up"}
    return made


def rows(fleet: Fleet, kind: str) -> list[Any]:
    with fleet.desk.database.read() as connection:
        query = sa.select(outages).where(outages.c.kind == kind).order_by(outages.c.start_ms, outages.c.ref)
        return list(connection.execute(query))


def titles(fleet: Fleet) -> list[str]:
    return [title for title, _ in fleet.told()]


def bodies(fleet: Fleet) -> list[list[str]]:
    return [body.splitlines() for body in fleet.desk.alerts("body")]


def test_a_storm_of_100_boxes_is_one_outage_one_alert_and_one_word_when_they_are_back(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=20, A_market=30, B_hall=25, B_post=25)
    fleet.go_with(400, [])
    assert titles(fleet) == ["No word from 100 of 100 boxes, nearly all there are"]
    assert bodies(fleet)[0][2:4] == [
        "Look at the server and its network first.",
        "Boxes: hall-0, hall-1, hall-10, hall-11, hall-12, hall-13, hall-14, hall-15 and 92 more",
    ]
    [outage] = [row for kind in ("site", "commune", "all") for row in rows(fleet, kind)]
    assert (outage.kind, sorted(outage.members)) == ("all", sorted(boxes))
    assert {row.parent for row in rows(fleet, "box")} == {outage.id}
    assert {state for ref, state in fleet.states().items() if "/" not in ref} == {"unreachable"}
    fleet.boots = dict.fromkeys(boxes, NEW_BOOT)
    for known in range(10, 101, 10):  # they come back one after the other
        fleet.go_with(30, boxes[:known])
    fleet.go_with(60, boxes)
    assert titles(fleet)[1:] == ["100 of 100 boxes are back: everywhere"]
    assert bodies(fleet)[1][1:3] == ["It lasted: 12 min", "It has started anew: the power was out."]
    assert set(fleet.states().values()) == {"up"}
    assert [row.hint for row in rows(fleet, "all")] == ["power"]
    assert all(row.end_ms is not None for kind in ("all", "box", "camera") for row in rows(fleet, kind))


def test_half_a_commune_is_one_outage_and_the_other_half_is_not_told_of(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=3, A_market=3, B_hall=9)
    alive = [box for box in boxes if box.startswith("hall") or box in ("school-0", "market-0")]
    fleet.go_with(300, alive)
    assert titles(fleet) == ["No word from 4 of 6 boxes: A"]
    fleet.go_with(120, boxes)
    assert titles(fleet)[1:] == ["4 of 4 boxes are back: A"]
    assert bodies(fleet)[1][2] == "It has not started anew: only the network was out."


def test_a_program_that_started_anew_on_a_machine_that_did_not_is_told_apart(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=2, B_hall=3)
    fleet.go_with(300, boxes[1:])
    assert titles(fleet) == ["No word from the box: school"]
    fleet.clock.advance(2000)
    fleet.beat(box="school-0", run_began_mono_ms=round(fleet.clock.mono_ms()) - 1000)
    fleet.go_with(10, boxes[1:])
    assert [row.hint for row in rows(fleet, "box")] == ["program"]
    assert "The machine did not start anew, only the program on the box." in bodies(fleet)[1]


def test_who_stays_away_when_the_others_are_back_is_named_then_and_told_of_alone(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=4, A_market=4, B_hall=9)
    fleet.go_with(300, [box for box in boxes if box.startswith("hall")])
    assert titles(fleet) == ["No word from 8 of 8 boxes: A"]
    fleet.go_with(280, boxes[1:])
    assert len(titles(fleet)) == 1
    fleet.go_with(60, boxes[1:])
    assert titles(fleet)[1:] == ["7 of 8 boxes are back: A"]
    assert bodies(fleet)[1][-2] == "Still gone: school-0"
    assert fleet.states()["school-0"] == "down"
    fleet.go_with(60, boxes)
    assert titles(fleet)[2:] == ["The box is back: school"]


def test_an_outage_that_grows_from_a_site_to_the_commune_ends_with_one_word(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=4, A_market=4, B_hall=9)
    fleet.go_with(300, [box for box in boxes if not box.startswith("school")])
    assert titles(fleet) == ["No word from 4 of 4 boxes: school, A"]
    fleet.go_with(300, [box for box in boxes if box.startswith("hall")])
    assert titles(fleet)[1:] == ["No word from 8 of 8 boxes: A"]
    fleet.go_with(90, boxes)
    assert titles(fleet)[2:] == ["8 of 8 boxes are back: A"]


def test_a_restart_of_the_collector_in_the_middle_of_a_storm_repeats_nothing(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=4, A_market=4, B_hall=9)
    here = [box for box in boxes if box.startswith("hall")]
    fleet.go_with(300, here)
    fleet.clock.advance(600_000)
    fleet.watch = fleet.new_watch()
    fleet.go_with(300, here)
    fleet.go_with(90, boxes)
    assert titles(fleet) == ["No word from 8 of 8 boxes: A", "8 of 8 boxes are back: A"]


def test_what_comes_and_goes_is_told_three_times_then_only_when_it_stays_away(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=1, B_hall=1)
    for _ in range(5):
        fleet.go_with(220, boxes[1:])
        fleet.go_with(60, boxes)
    down, back = "No word from the box: school", "The box is back: school"
    assert titles(fleet) == [down, back, down, back, "The box keeps coming and going: school"]
    assert bodies(fleet)[4][-2] == "3 times within an hour. Told again only when it is gone for more than 30 min."
    assert fleet.states()["school-0"] == "degraded"
    fleet.go_with(2100, boxes[1:])
    assert titles(fleet)[5:] == [down]
    fleet.go_with(60, boxes)
    assert titles(fleet)[6:] == [back]
    fleet.go_with(3700, boxes)
    assert fleet.states()["school-0"] == "up"


def test_nobody_is_told_of_a_commune_that_somebody_works_on(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=3, A_market=3, B_hall=9)
    with fleet.desk.database.write() as connection:
        work_on(connection, "commune", "A", fleet.clock.wall_ms(), 3_600_000)
    fleet.go_with(600, [box for box in boxes if box.startswith("hall")])
    assert titles(fleet) == []
    assert fleet.states()["school-0"] == fleet.states()["school-0/gate"] == "maintenance"
    with fleet.desk.database.write() as connection:
        assert lift_window(connection, "commune-A", "son", fleet.clock.wall_ms())
    lifted_ms = fleet.clock.wall_ms()
    fleet.go_with(30, [box for box in boxes if box.startswith("hall")])
    assert titles(fleet) == ["No word from 6 of 6 boxes: A"]
    assert {row.start_ms for row in rows(fleet, "box")} == {lifted_ms}


def test_an_outage_ends_without_a_word_when_somebody_begins_to_work_there(fleet: Fleet) -> None:
    boxes = settle(fleet, A_school=3, A_market=3, B_hall=9)
    here = [box for box in boxes if box.startswith("hall")]
    fleet.go_with(300, here)
    with fleet.desk.database.write() as connection:
        work_on(connection, "commune", "A", fleet.clock.wall_ms(), 3_600_000)
    fleet.go_with(30, here)
    assert titles(fleet) == ["No word from 6 of 6 boxes: A"]
    assert all(row.end_ms is not None for row in [*rows(fleet, "commune"), *rows(fleet, "box")])
    assert [row.hint for row in rows(fleet, "box")] == [None] * 6
