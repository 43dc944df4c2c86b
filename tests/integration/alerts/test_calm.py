"""What keeps alerts worth reading: mutes, the limit in a storm, and who is told when nobody comes."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from collector.alerts.channels.duty import DutyChannel
from collector.alerts.channels.protocol import ChannelBusy
from collector.alerts.rules import Escalate, Rule
from collector.store import mutes as mute_store
from collector.store.desk import acknowledge
from collector.store.incident_life import Step, take_step
from collector.store.schema import incident_history, muted_episodes
from tests.integration.alerts.desk import NOW, Desk, Phone
from tests.support.clock import FakeClock

HOUR_MS = 3_600_000
FIRST = Escalate(180, ("officer-2",))
SECOND = Escalate(600, ("post", "chief"))


def mute(desk: Desk, **changes: Any) -> None:
    values = {
        "id": "m1", "camera": "hop-1/gate", "zone": None, "from_minute": None, "to_minute": None, "start_ms": NOW,
        "until_ms": NOW + HOUR_MS, "who": "lan", "reason": None, "incident": None,
    } | changes  # fmt: skip
    with desk.database.write() as connection:
        mute_store.add_mute(connection, mute_store.MuteRow(**values))


def muted(desk: Desk) -> list[str]:
    with desk.database.read() as connection:
        return list(connection.scalars(sa.select(muted_episodes.c.episode).order_by(muted_episodes.c.episode)))


def look(desk: Desk, now_ms: int) -> None:
    while desk.loop.step(now_ms):
        pass


def close(desk: Desk, now_ms: int) -> None:
    """An officer says of everything open that it was a false alarm."""
    for incident, state in desk.incidents("id", "state"):
        if state != "closed":
            step = Step(
                before=state, after="closed", who="lan", action="decide", note="false", owner="lan", outcome="false",
                acknowledged_ms=now_ms, closed_ms=now_ms,
            )  # fmt: skip
            with desk.database.write() as connection:
                assert take_step(connection, incident, step, now_ms)


@pytest.mark.parametrize("closes", [False, True], ids=["nobody looks", "each is closed at once"])
def test_500_episodes_in_an_hour_are_one_incident_at_a_time_and_at_most_12_alerts(desk: Desk, closes: bool) -> None:
    for number in range(500):
        at_ms = NOW + number * 7_200
        desk.hear(f"e{number:03}", at_ms, at_ms + 3_000)
        look(desk, at_ms + 3_100)
        assert sum(state != "closed" for state in desk.incidents("state")) == 1
        if closes:
            close(desk, at_ms + 3_200)
    told = len(desk.alerts("id"))
    assert 1 <= told <= 12
    assert len(desk.members()) == 500
    assert len(desk.incidents("id")) == (500 if closes else 1)
    desk.hear("much later", NOW + 3 * HOUR_MS)
    look(desk, NOW + 3 * HOUR_MS + 100)
    assert len(desk.alerts("id")) == told + 1, "when it is over it rings again"


def test_the_limit_belongs_to_one_camera_and_the_more_severe_breaks_it(tmp_path: Path) -> None:
    quiet = Rule("all", rings_an_hour=2, cool_down_s=0)
    desk = Desk(tmp_path, (quiet, Rule("gate", zones=("cổng",), severity="high", rings_an_hour=2, cool_down_s=0)))
    for camera in ("gate", "hall"):
        desk.add_camera("hop-1", camera)
    for number in range(5):
        desk.hear(f"g{number}", NOW + number * 10_000)
        look(desk, NOW + number * 10_000)
        close(desk, NOW + number * 10_000 + 1)
    assert len(desk.alerts("id")) == 2
    desk.hear("hall", NOW + 60_000, camera="hop-1/hall")
    look(desk, NOW + 60_000)
    assert len(desk.alerts("id")) == 3
    desk.hear("zone", NOW + 70_000, zones=("cổng",))
    look(desk, NOW + 70_000)
    assert desk.alerts("severity").count("high") == 1
    desk.database.close()


@pytest.mark.parametrize(
    ("changes", "episode", "is_muted"),
    [
        ({}, {}, True),
        ({}, {"zones": ("cổng",)}, True),
        ({}, {"kind": "tamper:covered"}, False),
        ({}, {"camera": "hop-1/hall"}, False),
        ({"until_ms": NOW + 50}, {}, False),
        ({"start_ms": NOW + 150}, {}, False),
        ({"zone": "cổng"}, {"zones": ("cổng",)}, True),
        ({"zone": "cổng"}, {"zones": ("cổng", "sân")}, False),
        ({"zone": "cổng"}, {}, False),
        ({"from_minute": 0, "to_minute": 24 * 60}, {}, True),
        ({"from_minute": 60, "to_minute": 61}, {}, False),  # NOW is neither
    ],
)
def test_what_is_muted_is_kept_and_told_to_nobody(
    desk: Desk, changes: dict[str, Any], episode: dict[str, Any], is_muted: bool
) -> None:
    mute(desk, **changes)
    desk.hear("e", NOW, NOW + 90, **episode)
    look(desk, NOW + 100)
    assert muted(desk) == (["e"] if is_muted else [])
    assert len(desk.incidents("id")) == len(desk.alerts("id")) == (0 if is_muted else 1)


def test_two_mutes_of_zones_together_mute_what_touches_both(desk: Desk) -> None:
    mute(desk, zone="cổng")
    mute(desk, id="m2", zone="sân")
    desk.hear("e", NOW, zones=("cổng", "sân"))
    look(desk, NOW + 100)
    assert muted(desk) == ["e"]


def test_a_muted_episode_that_goes_on_into_another_zone_is_told_after_all(desk: Desk) -> None:
    mute(desk, zone="cổng")
    desk.hear("e", NOW, zones=("cổng",))
    look(desk, NOW + 100)
    assert (muted(desk), desk.alerts("id")) == (["e"], [])
    desk.hear("e", NOW, NOW + 5_000, zones=("cổng", "nhà"))
    look(desk, NOW + 5_100)
    assert muted(desk) == []
    assert len(desk.alerts("id")) == 1


def test_a_mute_that_begins_while_an_incident_goes_on_silences_its_growth(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule("all"), Rule("gate", zones=("cổng",), severity="high")))
    desk.add_camera("hop-1", "gate")
    desk.hear("e", NOW - 5_000)
    look(desk, NOW - 4_900)
    mute(desk)
    desk.hear("e", NOW - 5_000, NOW + 1_000, zones=("cổng",))
    look(desk, NOW + 1_100)
    assert desk.alerts("severity") == ["normal"]
    assert desk.incidents("last_ms") == [NOW + 1_000]
    desk.database.close()


@pytest.fixture
def post(tmp_path: Path) -> Any:
    desk = Desk(tmp_path, (Rule("night", channels=("officer-1",), escalate=(FIRST, SECOND)),))
    desk.add_camera("hop-1", "gate")
    desk.hear("e", NOW)
    look(desk, NOW)
    yield desk
    desk.database.close()


def told_after(desk: Desk, seconds: float) -> list[tuple[str, bool]]:
    desk.loop.escalate(NOW + round(seconds * 1000))
    found = desk.alerts("kind", "channel", "rings")
    return sorted((channel, rings) for kind, channel, rings in found if kind == "escalation")


def test_what_nobody_takes_goes_to_the_next_officer_then_to_the_post_once_each(post: Desk) -> None:
    assert told_after(post, 179) == []
    assert told_after(post, 180) == [("officer-2", True)]
    assert told_after(post, 599) == [("officer-2", True)]
    assert told_after(post, 600) == [("chief", True), ("officer-2", True), ("post", True)]
    assert len(told_after(post, 3600)) == 3
    with post.database.read() as connection:
        query = sa.select(incident_history.c.action, incident_history.c.note).order_by(incident_history.c.id)
        history = [tuple(row) for row in connection.execute(query)]
    assert history == [("open", "night"), ("escalate", "officer-2"), ("escalate", "post, chief")]


def test_what_somebody_takes_goes_no_further(post: Desk) -> None:
    assert len(told_after(post, 180)) == 1
    with post.database.write() as connection:
        assert acknowledge(connection, post.incidents("id")[0], "lan", NOW + 200_000)
    assert len(told_after(post, 900)) == 1


def test_a_step_that_is_due_late_is_told_without_a_sound(post: Desk) -> None:
    assert told_after(post, 3_600) == [("chief", False), ("officer-2", False), ("post", False)]


def test_nobody_is_woken_for_yesterday(post: Desk) -> None:
    assert told_after(post, 90_000) == []


def test_a_late_incident_is_not_escalated(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule("night", escalate=(FIRST,)),))
    desk.add_camera("hop-1", "gate")
    desk.hear("e", NOW - HOUR_MS)
    look(desk, NOW)
    assert told_after(desk, 300) == []
    desk.database.close()


def test_the_next_officer_reads_that_nobody_has_taken_it(post: Desk) -> None:
    told_after(post, 180)
    phone = Phone("officer-2")
    post.delivery(phone).step(lambda: NOW + 180_100)
    [(_, text, _)] = phone.got
    assert text.title == "[Chưa ai tiếp nhận] Có chuyển động: gate, Trường học"
    assert text.body.splitlines()[0] == "Đã 3 phút chưa ai tiếp nhận sự việc này."
    assert text.rings


def test_what_must_be_large_or_last_is_told_as_soon_as_it_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule("big", min_size=0.25), Rule("long", min_dwell_s=10, cameras=("*/hall",))))
    for camera in ("gate", "hall"):
        desk.add_camera("hop-1", camera)
    desk.hear("e", NOW, rectangle=[0.4, 0.4, 0.8, 0.8])
    desk.hear("h", NOW, camera="hop-1/hall", rectangle=[0, 0, 0.1, 0.1])
    look(desk, NOW + 100)
    assert desk.alerts("episode") == []
    desk.hear("e", NOW, NOW + 2_000, rectangle=[0.3, 0.3, 0.8, 0.8])
    desk.hear("h", NOW, NOW + 9_999, camera="hop-1/hall", rectangle=[0, 0, 0.1, 0.1])
    look(desk, NOW + 10_000)
    assert desk.alerts("episode") == ["e"]
    desk.hear("h", NOW, NOW + 10_000, camera="hop-1/hall", rectangle=[0, 0, 0.1, 0.1])
    look(desk, NOW + 10_100)
    assert sorted(desk.alerts("episode")) == ["e", "h"]
    desk.database.close()


def test_the_roster_tells_who_is_on_duty_when_it_is_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path, (Rule("r", channels=("duty",), escalate=(Escalate(180, ("duty-next",)),)),))
    desk.add_camera("hop-1", "gate")
    phones = {name: Phone(name, may_carry_pictures=name == "lan") for name in ("lan", "minh", "post")}
    whom = {"duty": ["lan", "minh"], "duty-next": []}
    made = {name: DutyChannel(name, phones, lambda name=name: whom[name], ("post",)) for name in whom}
    desk.hear("e", NOW, snapshot_sha256="a" * 64)
    look(desk, NOW)
    phones["minh"].before = [ChannelBusy("no answer")]
    clock = FakeClock(NOW)
    delivery = desk.delivery(made["duty"], picture_of=lambda _episode: b"jpeg")
    while desk.alerts("state") != ["sent"]:
        delivery.step(clock.wall_ms)
        clock.advance(1_000)
    assert [picture for _, _, picture in phones["lan"].got] == [b"jpeg"], "she has it"
    assert [picture for _, _, picture in phones["minh"].got] == [None]
    desk.loop.escalate(NOW + 180_000)
    desk.delivery(made["duty-next"], picture_of=lambda _episode: b"jpeg").step(lambda: NOW + 180_100)
    assert len(phones["post"].got) == 1, "nobody comes next: the post is told"
    desk.database.close()
