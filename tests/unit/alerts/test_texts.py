"""Texts of alerts, word for word."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from collector.alerts.texts import _CATALOGUE, _REASONS, AlertFacts, DiskFacts, duration, subject_of_kind, write

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
AT_MS = 1_795_195_805_000  # 2026-11-20 17:30:05 UTC


def test_motion_in_vietnamese_names_camera_site_time_zones_and_link() -> None:
    facts = AlertFacts(
        subject="motion",
        box="truong-hoc",
        camera="gate",
        camera_title="Cổng trước",
        site="Trường tiểu học",
        at_ms=AT_MS,
        rings=True,
        zones=("sân", "cổng"),
        link="https://vg.example/incidents/1",
    )
    text = write(facts, "vi", ZONE)
    assert text.title == "Có chuyển động: Cổng trước, Trường tiểu học"
    assert text.body.splitlines() == [
        "Lúc: 21/11/2026 00:30:05",
        "Camera: Cổng trước (truong-hoc/gate)",
        "Địa điểm: Trường tiểu học",
        "Vùng: sân, cổng",
        "Xem: https://vg.example/incidents/1",
    ]
    assert text.rings


def test_a_late_alert_says_how_late_in_title_and_body() -> None:
    facts = AlertFacts(subject="motion", box="hop", camera="gate", at_ms=AT_MS, rings=False, late_ms=7_500_000)
    vietnamese, english = write(facts, "vi", ZONE), write(facts, "en", ZONE)
    assert vietnamese.title == "[Báo muộn 2 giờ 5 phút] Có chuyển động: gate, hop"
    assert "Báo muộn 2 giờ 5 phút: tin đến sau khi sự việc đã qua, không kêu chuông." in vietnamese.body
    assert english.title == "[2 h 5 min late] Motion: gate, hop"
    assert not vietnamese.rings


def test_a_box_without_a_clock_is_told_so() -> None:
    facts = AlertFacts(subject="motion", box="hop", camera="gate", at_ms=AT_MS, rings=True, clock_set=False)
    assert "The box's clock is not set" in write(facts, "en", ZONE).body


def test_a_box_that_is_down_says_why() -> None:
    text = write(AlertFacts(subject="box_down", box="hop", at_ms=AT_MS, rings=True, reason="lost"), "vi", ZONE)
    assert text.title == "Mất liên lạc với hộp: hop"
    assert text.body.splitlines() == ["Lúc: 21/11/2026 00:30:05", "Lý do: mất kết nối"]


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(0, "0 giây"), (999, "0 giây"), (45_000, "45 giây"), (60_000, "1 phút"), (301_000, "5 phút 1 giây"),
     (3_600_000, "1 giờ"), (90_061_000, "1 ngày 1 giờ")],
)  # fmt: skip
def test_durations_show_their_two_largest_units(ms: int, expected: str) -> None:
    assert duration(ms, "vi") == expected


def test_both_languages_say_the_same_things() -> None:
    assert _CATALOGUE["vi"].keys() == _CATALOGUE["en"].keys()
    assert _REASONS["vi"].keys() == _REASONS["en"].keys()


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("motion", "Có chuyển động: gate, hop"),
        ("tamper:covered", "Camera bị che: gate, hop"),
        ("tamper:spun", "Hình ảnh bất thường: gate, hop"),
    ],
)
def test_an_alert_says_what_was_done_to_the_camera(kind, title):
    facts = AlertFacts(subject=subject_of_kind(kind), box="hop", camera="gate", at_ms=AT_MS, rings=True)
    assert write(facts, "vi", ZONE).title == title


def test_a_disk_that_fills_up_says_how_much_is_left_and_what_comes_next() -> None:
    disk = DiskFacts(free_bytes=3_520_000_000, clips_wait_bytes=2_147_483_648)
    facts = AlertFacts(subject="disk_low", box="", at_ms=AT_MS, rings=True, disk=disk, link="https://vg.example/boxes")
    text = write(facts, "vi", ZONE)
    assert text.title == "Đĩa máy chủ sắp đầy: còn 3,5 GB"
    assert text.body.splitlines()[1:] == [
        "Còn dưới 2,1 GB thì phim phải nằm chờ trên hộp; tin báo vẫn nhận.",
        "Xem: https://vg.example/boxes",
    ]
    english = write(replace(facts, subject="disk_roomy", disk=DiskFacts(40_000_000, 1)), "en", ZONE)
    assert english.title == "The server's disk has room again: 40 MB left"
