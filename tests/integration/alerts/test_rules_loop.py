"""The rules loop on a real database."""

import statistics
import threading
import time
from pathlib import Path

from sqlalchemy import update

from collector.alerts.bell import Bell
from collector.alerts.incidents import Grouping
from collector.alerts.loop import RulesLoop
from collector.alerts.rules import Rule
from collector.store.schema import incidents
from tests.integration.alerts.desk import NOW, ZONE, Desk
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Crew, Stop


def test_an_episode_becomes_an_incident_an_alert_and_news_for_the_live_feed(desk: Desk) -> None:
    desk.hear("e1", NOW - 200)
    assert desk.loop.step(NOW) is False
    assert desk.incidents("camera", "state", "severity", "rule", "start_ms", "late_ms") == [
        ("hop-1/gate", "new", "normal", "everything", NOW - 200, 0)
    ]
    assert desk.alerts("channel", "state", "rings", "camera", "episode") == [
        ("screen", "due", True, "hop-1/gate", "e1")
    ]
    assert desk.changes() == ["incident", "alert"]


def test_an_episode_is_looked_at_once_until_more_is_known_of_it(desk: Desk) -> None:
    desk.hear("e1", NOW - 200)
    desk.loop.step(NOW)
    desk.loop.step(NOW + 1)
    assert len(desk.changes()) == 2
    desk.hear("e1", NOW - 200, NOW + 5000)
    desk.loop.step(NOW + 5000)
    assert desk.incidents("start_ms", "last_ms") == [(NOW - 200, NOW + 5000)]
    assert len(desk.alerts("id")) == 1


def test_a_rule_with_a_zone_rings_when_a_later_update_brings_the_zone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule(name="road", zones=("road",)),))
    desk.add_camera("hop-1", "gate")
    desk.hear("e1", NOW - 200, zones=("yard",))
    desk.loop.step(NOW)
    assert desk.incidents("id") == []
    desk.hear("e1", NOW - 200, NOW + 900, zones=("yard", "road"))
    desk.loop.step(NOW + 1000)
    assert desk.incidents("rule", "last_ms") == [("road", NOW + 900)]
    assert desk.alerts("rings") == [True]
    desk.database.close()


def test_near_episodes_of_a_camera_grow_one_incident_and_other_cameras_have_their_own(desk: Desk) -> None:
    for index in range(5):
        desk.hear(f"e{index}", NOW + index * 30_000, NOW + index * 30_000 + 5000)
        desk.loop.step(NOW + index * 30_000 + 5100)
    desk.hear("other", NOW, camera="hop-1/hall")
    desk.loop.step(NOW + 130_000)
    assert sorted(desk.incidents("camera", "last_ms")) == [("hop-1/gate", NOW + 125_000), ("hop-1/hall", NOW)]
    assert sorted(desk.alerts("camera", "rings")) == [("hop-1/gate", True), ("hop-1/hall", True)]
    assert len(set(desk.members().values())) == 2
    assert len(desk.members()) == 6


def test_a_backlog_is_grouped_whatever_the_order_of_arrival_and_does_not_ring(desk: Desk) -> None:
    for index in (7, 2, 5, 0, 3, 1, 6, 4):
        desk.hear(f"e{index}", NOW - 7_200_000 + index * 30_000, received_ms=NOW)
    desk.loop.step(NOW)
    assert desk.incidents("start_ms", "last_ms") == [(NOW - 7_200_000, NOW - 6_990_000)]
    assert desk.alerts("rings", "late_ms") == [(False, 7_200_000)]
    assert len(desk.members()) == 8


def test_a_backlog_does_not_hold_up_what_happens_now(desk: Desk) -> None:
    for index in range(250):
        desk.hear(f"old{index}", NOW - 90_000_000 + index * 300_000, received_ms=NOW)
    desk.hear("now", NOW - 100, camera="hop-1/hall")
    assert desk.loop.step(NOW) is True
    assert ("hop-1/hall", True) in desk.alerts("camera", "rings"), "in the very first step"
    while desk.loop.step(NOW):
        pass
    assert len(desk.members()) == 251
    assert sum(desk.alerts("rings")) == 1


def test_an_incident_that_somebody_closed_takes_no_more_episodes(desk: Desk) -> None:
    desk.hear("e1", NOW)
    desk.loop.step(NOW)
    with desk.database.write() as connection:
        connection.execute(update(incidents).values(state="closed"))
    desk.hear("e1", NOW, NOW + 70_000)
    desk.hear("e2", NOW + 80_000)
    desk.loop.step(NOW + 80_100)
    assert sorted(desk.incidents("state", "last_ms")) == [("closed", NOW + 70_000), ("new", NOW + 80_000)]


def test_acknowledging_does_not_stop_an_incident_from_growing(desk: Desk) -> None:
    desk.hear("e1", NOW)
    desk.loop.step(NOW)
    with desk.database.write() as connection:
        connection.execute(update(incidents).values(state="acknowledged", owner="lan"))
    desk.hear("e2", NOW + 20_000)
    desk.loop.step(NOW + 20_100)
    assert desk.incidents("state", "owner", "last_ms") == [("acknowledged", "lan", NOW + 20_000)]
    assert len(desk.alerts("id")) == 1


def test_a_more_severe_rule_rings_again_and_gives_the_incident_its_name(tmp_path: Path) -> None:
    rules = (
        Rule(name="all", channels=("screen",)),
        Rule(name="door", zones=("door",), channels=("screen", "phone"), severity="high"),
    )
    desk = Desk(tmp_path, rules)
    desk.add_camera("hop-1", "gate")
    desk.hear("e1", NOW)
    desk.loop.step(NOW + 50)
    desk.hear("e1", NOW, NOW + 2000, zones=("door",))
    desk.loop.step(NOW + 2050)
    assert desk.incidents("rule", "severity") == [("door", "high")]
    assert sorted(desk.alerts("channel", "severity", "rings")) == [
        ("phone", "high", True),
        ("screen", "high", True),
        ("screen", "normal", True),
    ]
    desk.database.close()


def test_a_box_whose_clock_is_not_set_rings_now(desk: Desk) -> None:
    desk.hear("e1", 86_400_000, 86_401_000, received_ms=NOW - 50, clock="unset")
    desk.loop.step(NOW)
    assert desk.incidents("start_ms", "late_ms") == [(NOW - 50, 0)]
    assert desk.alerts("rings") == [True]


def test_two_loops_at_once_look_at_every_episode_exactly_once(desk: Desk) -> None:
    for index in range(300):
        desk.hear(f"e{index}", NOW + index * 200_000, camera="hop-1/gate" if index % 2 else "hop-1/hall")
    second = RulesLoop(desk.database, (), Grouping(), ZONE, Bell())

    def drain(loop: RulesLoop) -> None:
        while loop.step(NOW + 300 * 200_000):
            pass

    threads = [threading.Thread(target=drain, args=(loop,)) for loop in (desk.loop, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(desk.members()) == 300
    assert len(desk.incidents("id")) == 300


def test_the_loop_wakes_when_ingest_rings_and_alerts_within_milliseconds(desk: Desk) -> None:
    stop, clock, committed, alerted = Stop(), SystemClock(), Bell(), desk.alerted.listen()
    ear, crew = committed.listen(), Crew(Stop())
    for index in range(20):
        desk.add_camera("hop-1", f"cam{index}")
    crew.start("rules", lambda pulse: desk.loop.run(pulse, stop, clock, ear))
    taken_ms = []
    for index in range(20):
        desk.hear(f"e{index}", clock.wall_ms(), camera=f"hop-1/cam{index}")
        began = time.perf_counter()
        committed.ring()
        assert alerted.wait(5.0)
        taken_ms.append((time.perf_counter() - began) * 1000)
    stop.set("test over")
    committed.ring()
    assert crew.join(5) == []
    assert len(desk.alerts("id")) == 20
    print(f"commit to alert row, ms: p50 {statistics.median(taken_ms):.1f}, max {max(taken_ms):.1f}")
    assert statistics.median(taken_ms) < 100


def test_without_a_ring_the_loop_finds_the_episode_by_itself(desk: Desk) -> None:
    stop, clock, alerted, crew = Stop(), SystemClock(), desk.alerted.listen(), Crew(Stop())
    crew.start("rules", lambda pulse: desk.loop.run(pulse, stop, clock, Bell().listen()))
    desk.hear("e1", clock.wall_ms())
    assert alerted.wait(5.0)
    stop.set("test over")
    assert crew.join(5) == []


def test_what_a_box_has_demoted_rings_nobody_and_what_it_tells_beside_it_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule(name="all"), Rule(name="motion", kinds=("motion",), severity="high")))
    desk.add_camera("hop-1", "gate")
    desk.hear("flag", NOW - 60_000, NOW, kind="motion:demoted")
    desk.loop.step(NOW)
    desk.hear("flag", NOW - 60_000, NOW + 5_000, kind="motion:demoted", score=0.99)
    desk.loop.step(NOW + 5_000)
    assert desk.incidents("id") == []
    assert desk.alerts("id") == []
    desk.hear("thief", NOW + 6_000)
    desk.loop.step(NOW + 6_000)
    assert set(desk.alerts("episode")) == {"thief"}
    desk.database.close()
