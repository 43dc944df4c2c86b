"""Delivery from the durable queue: claim, send, mark, and the power going between any two of them."""

import pytest

from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused
from collector.alerts.channels.screen import ScreenChannel
from collector.alerts.delivery import Delivery, Patience
from collector.alerts.rules import Rule
from collector.store.alerts import undelivered
from tests.integration.alerts.desk import NOW, Crash, Desk, Phone
from tests.support.clock import FakeClock


@pytest.fixture
def ringing(tmp_path):  # type: ignore[no-untyped-def]
    """A desk with one alert for the phone in the queue."""
    desk = Desk(tmp_path, (Rule(name="r", channels=("phone",)),))
    desk.add_camera("hop-1", "gate")
    desk.hear("e1", NOW - 100, zones=("sân",))
    desk.loop.step(NOW)
    yield desk
    desk.database.close()


def drain(delivery: Delivery, clock: FakeClock, for_s: float) -> None:
    """Step until nothing is due, letting time pass in quarter seconds."""
    end_ms = clock.wall_ms() + for_s * 1000
    while clock.wall_ms() < end_ms:
        while delivery.step(clock.wall_ms):
            pass
        clock.advance(250)


def test_an_alert_is_sent_and_marked_and_names_place_time_zone_and_link(ringing: Desk) -> None:
    phone = Phone()
    delivery = ringing.delivery(phone)
    assert delivery.step(lambda: NOW + 40) is True
    assert delivery.step(lambda: NOW + 41) is False
    ((_, text, picture),) = phone.got
    (incident,) = ringing.incidents("id")
    assert text.title == "Có chuyển động: gate, Trường học"
    assert text.body.splitlines() == [
        "Lúc: 21/11/2026 00:30:04",
        "Camera: hop-1/gate",
        "Địa điểm: Trường học",
        "Vùng: sân",
        f"Xem: https://vg.example/incidents/{incident}",
    ]
    assert text.rings
    assert picture is None
    assert ringing.alerts("state", "attempts", "sent_ms", "error") == [("sent", 1, NOW + 40, None)]
    assert ringing.changes() == ["incident", "alert", "alert"]


def test_an_alert_for_another_channel_is_left_alone(ringing: Desk) -> None:
    assert ringing.delivery(ScreenChannel()).step(lambda: NOW) is False
    assert ringing.alerts("state") == ["due"]


def test_a_passing_failure_is_tried_again_with_growing_patience(ringing: Desk) -> None:
    phone, clock = Phone(), FakeClock(NOW)
    phone.before = [ChannelBusy("no answer")] * 4
    drain(ringing.delivery(phone), clock, 100)
    assert len(phone.got) == 1
    assert ringing.alerts("state", "attempts", "error") == [("sent", 5, None)]
    (sent_ms,) = ringing.alerts("sent_ms")
    assert 5_000 + 10_000 + 20_000 + 40_000 <= sent_ms - NOW < 80_000


def test_a_permanent_failure_is_marked_with_its_reason_and_not_tried_again(ringing: Desk) -> None:
    phone, clock = Phone(), FakeClock(NOW)
    phone.before = [ChannelRefused("address 1: HTTP 404")]
    drain(ringing.delivery(phone), clock, 60)
    assert phone.got == []
    assert ringing.alerts("state", "attempts", "error") == [("failed", 1, "address 1: HTTP 404")]


def test_after_a_day_of_failures_an_alert_is_given_up_and_says_so(ringing: Desk) -> None:
    phone = Phone()
    phone.before = [ChannelBusy("no answer")] * 1000
    delivery, now_ms = ringing.delivery(phone), NOW
    while ringing.alerts("state") == ["due"]:
        delivery.step(lambda at_ms=now_ms: at_ms)
        now_ms += 700_000
    assert ringing.alerts("state", "error") == [("failed", "given up: no answer")]
    assert 86_400_000 < now_ms - NOW < 90_000_000


def test_an_alert_that_waited_long_says_how_late_and_does_not_ring(ringing: Desk) -> None:
    phone = Phone()
    ringing.delivery(phone).step(lambda: NOW + 3_900_000)
    ((_, text, _),) = phone.got
    assert text.title == "[Báo muộn 1 giờ 5 phút] Có chuyển động: gate, Trường học"
    assert not text.rings


def test_one_alert_that_never_goes_does_not_hold_up_the_others(ringing: Desk) -> None:
    class Picky(Phone):
        def send(self, alert, text, picture):  # type: ignore[no-untyped-def]
            if alert == poisoned:
                raise ChannelBusy("HTTP 500")
            super().send(alert, text, picture)

    (poisoned,) = ringing.alerts("id")
    ringing.add_camera("hop-1", "hall")
    phone, clock = Picky(), FakeClock(NOW)
    delivery = ringing.delivery(phone)
    drain(delivery, clock, 10)
    ringing.hear("e2", clock.wall_ms(), camera="hop-1/hall")
    ringing.loop.step(clock.wall_ms())
    drain(delivery, clock, 60)
    assert [alert for alert, _, _ in phone.got] != []
    assert sorted(ringing.alerts("state")) == ["due", "sent"]


@pytest.mark.parametrize(("moment", "repeats"), [("claimed", 0), ("sent", 1)])
def test_a_crash_loses_no_alert_and_repeats_it_at_most_once(ringing: Desk, moment: str, repeats: int) -> None:
    phone = Phone()
    if moment == "claimed":
        phone.before = [Crash()]
    else:
        phone.behind = [Crash()]
    with pytest.raises(Crash):
        ringing.delivery(phone).step(lambda: NOW)
    assert ringing.alerts("state") == ["claimed"]
    again = ringing.delivery(phone)
    again.resume(NOW + 2000)
    drain(again, FakeClock(NOW + 2000), 1)
    assert len(phone.got) == 1 + repeats
    assert ringing.alerts("state") == ["sent"]


def test_a_claim_of_a_worker_that_died_is_taken_over_without_a_restart(ringing: Desk) -> None:
    phone = Phone()
    phone.before = [Crash()]
    with pytest.raises(Crash):
        ringing.delivery(phone).step(lambda: NOW)
    other = ringing.delivery(phone, Patience(claim_stale_s=120))
    assert other.step(lambda: NOW + 119_000) is False
    assert other.step(lambda: NOW + 120_000) is True
    assert ringing.alerts("state") == ["sent"]


def test_a_hundred_crashes_between_claim_send_and_mark_lose_nothing_and_repeat_no_more_than_the_kills(
    tmp_path,
) -> None:  # type: ignore[no-untyped-def]
    desk = Desk(tmp_path, (Rule(name="r", channels=("phone",), cool_down_s=0),))
    phone, clock, kills = Phone(), FakeClock(NOW), 0
    for index in range(50):
        desk.add_camera("hop-1", f"cam{index}")
        desk.hear(f"e{index}", NOW, camera=f"hop-1/cam{index}")
    desk.loop.step(NOW)
    delivery = desk.delivery(phone)
    while True:
        with desk.database.read() as connection:
            if not undelivered(connection):
                break
        if kills < 100:
            (phone.before if kills % 2 else phone.behind).append(Crash())
        try:
            delivery.step(clock.wall_ms)
        except Crash:
            kills += 1
            delivery = desk.delivery(phone)
            delivery.resume(clock.wall_ms())
        clock.advance(100)
    got = [alert for alert, _, _ in phone.got]
    assert set(got) == set(desk.alerts("id"))
    assert kills >= 50
    assert len(got) - len(set(got)) <= kills
    desk.database.close()


def test_a_clock_that_jumped_back_does_not_hold_an_alert_for_ever(ringing: Desk) -> None:
    phone = Phone()
    assert ringing.delivery(phone).step(lambda: NOW - 86_400_000) is True
    assert ringing.alerts("state") == ["sent"]


def test_a_picture_is_waited_for_a_moment_but_not_longer(ringing: Desk) -> None:
    ringing.hear("e1", NOW - 100, snapshot_sha256="a" * 64, rules_ms=1)
    pictures: dict[str, bytes] = {}
    phone, clock = Phone(may_carry_pictures=True), FakeClock(NOW)
    delivery = ringing.delivery(phone, picture_of=pictures.get)
    drain(delivery, clock, 1)
    assert phone.got == []
    pictures["e1"] = b"jpeg"
    drain(delivery, clock, 1)
    assert [picture for _, _, picture in phone.got] == [b"jpeg"]
    assert ringing.alerts("attempts") == [1], "waiting for a picture is no failed try"


def test_without_its_picture_an_alert_goes_after_a_moment(ringing: Desk) -> None:
    ringing.hear("e1", NOW - 100, snapshot_sha256="a" * 64, rules_ms=1)
    phone, clock = Phone(may_carry_pictures=True), FakeClock(NOW)
    drain(ringing.delivery(phone), clock, 2)
    assert [picture for _, _, picture in phone.got] == [None]


def test_no_picture_is_even_looked_for_on_a_channel_that_may_not_carry_one(ringing: Desk) -> None:
    def never(_episode: str) -> bytes:
        raise AssertionError

    phone = Phone(may_carry_pictures=False)
    ringing.delivery(phone, picture_of=never).step(lambda: NOW)
    assert [picture for _, _, picture in phone.got] == [None]
