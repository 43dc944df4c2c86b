"""What `edge-agent detect` says of an episode, and that both languages say the same things."""

import string
from dataclasses import replace
from typing import get_args

import pytest

from edge_agent.aim.words import Language
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, Reason
from edge_agent.detect import CutShort, Summary
from edge_agent.detect_words import WORDS, episode_json, tell_episode, tell_settings, tell_state, tell_summary
from edge_agent.scene_words import NINTHS, TAMPERS
from edge_agent.trouble_words import tell_unavailable, tell_unwritable
from edge_agent.vision.episodes import DEMOTED, EpisodeEnded
from edge_agent.vision.observation import Observation, Region
from edge_agent.vision.settings import MotionSettings, Zone
from edge_agent.vision.tamper import Kind

FILE = SourceAddress.parse("street.mp4")
WALK = EpisodeEnded(
    start_ms=65_000.0,
    end_ms=70_500.0,
    box=(0.0, 0.4, 1.0, 0.9),
    best_box=(0.4, 0.4, 0.5, 0.9),
    zones=("cổng", "sân"),
    score=0.934,
    path=((65_000.0, 0.1, 0.6), (70_500.0, 0.9, 0.6)),
    reason="quiet",
)
SUMMARY = Summary(duration_s=90.0, frames=900, decoded=900, looked=300, cpu_s=1.25, episodes=3, untold=1)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    assert [word for word, text in WORDS["en"].items() if places(text) != places(WORDS["vi"][word])] == []


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_kind_of_tampering_and_every_ninth_of_a_picture_has_a_word(language: Language) -> None:
    assert set(TAMPERS[language]) == set(get_args(Kind))
    assert len({word for row in NINTHS[language] for word in row}) == 9


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "vi",
            """\
2. 1:05 – 1:10 (dài 5,5 giây): BÁO ĐỘNG, có chuyển động. Vùng: cổng, sân. Độ rõ 0,93 trên 1.
   Đi từ bên trái đến bên phải, quãng đường khoảng 0,8 lần cạnh hình.
   Lúc thấy rõ nhất: ở giữa hình, rộng 10 %, cao 50 % hình.""",
        ),
        (
            "en",
            """\
2. 1:05 – 1:10 (for 5.5 s): ALARM, motion. Zones: cổng, sân. Score 0.93 of 1.
   It went from the left to the right, a way of about 0.8 of the picture's side.
   At its clearest: in the middle, 10 % of the picture wide and 50 % high.""",
        ),
    ],
)
def test_an_episode_is_told_with_kind_zones_score_way_and_size(language: Language, said: str) -> None:
    assert tell_episode(2, WALK, language) == said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": DEMOTED}, "động mãi một chỗ, chỉ ghi, không báo"),
        ({"reason": "lost"}, "Đến hết hình vẫn còn chuyển động."),
        ({"reason": "split"}, "còn tiếp ở lần sau"),
        ({"box": (0.7, 0.0, 0.8, 0.1), "path": ((0.0, 0.75, 0.05), (1.0, 0.76, 0.05))}, "Chỉ quanh một chỗ, ở phía"),
        ({"path": ((0.0, 0.1, 0.5), (1.0, 0.9, 0.5), (2.0, 0.1, 0.5), (3.0, 0.5, 0.5))}, "hoặc có nhiều vật, trong"),
        ({"path": ((0.0, 0.36, 0.4), (1.0, 0.64, 0.6))}, "Di chuyển ở giữa hình"),
    ],
)
def test_what_is_unlike_a_walk_is_told_so(changes: dict[str, object], says: str) -> None:
    assert says in tell_episode(1, replace(WALK, **changes), "vi")


def test_without_zones_none_are_told() -> None:
    assert "Vùng" not in tell_episode(1, replace(WALK, zones=()), "vi")


def test_scripts_get_the_way_and_its_length() -> None:
    line = episode_json(WALK)
    assert (line["start_s"], line["end_s"], line["kind"], line["reason"]) == (65.0, 70.5, "motion", "quiet")
    assert line["path"] == [[65.0, 0.1, 0.6], [70.5, 0.9, 0.6]]
    assert (line["way"], line["stays"]) == (0.8, False)


def test_settings_are_told_first() -> None:
    square = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5))
    settings = MotionSettings(zones=(Zone("cổng", square, 5), Zone("sân", square)), masks=(square,))
    assert tell_settings(settings, "vi") == "Độ nhạy 3; chỉ canh vùng: cổng (độ nhạy 5), sân; che 1 chỗ."
    assert tell_settings(MotionSettings(sensitivity=2), "vi") == "Độ nhạy 2; canh cả hình; không che chỗ nào."


def test_the_summary_counts_what_was_told_apart_from_what_was_recorded_only() -> None:
    assert tell_summary(SUMMARY, FILE, "vi") == (
        "Phim dài 90,0 giây: 2 lần báo động, 1 lần chỉ ghi. Đã xem 300 trong 900 hình, tốn 1,2 giây CPU."
    )
    nothing = tell_summary(replace(SUMMARY, episodes=0, untold=0), FILE, "vi")
    assert "tăng `sensitivity`" in nothing


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (CutShort("asked", "Ctrl-C"), "Ngừng xem sớm: Ctrl-C"),
        (CutShort("timeout", "The camera says nothing."), "Ngừng xem sớm: street.mp4: quá lâu không thấy gì"),
    ],
)
def test_why_it_ended_early_is_told_first(cut: CutShort, says: str) -> None:
    assert tell_summary(replace(SUMMARY, cut_short=cut), FILE, "vi").startswith(says)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_a_file_that_gives_no_picture_is_told_in_vietnamese(reason: Reason) -> None:
    error = CameraUnavailable(reason, "The file street.mp4 says no.")
    said = tell_unavailable(error, FILE, "vi")
    assert said.startswith("street.mp4: ")
    assert "says no" not in said
    assert tell_unavailable(error, FILE, "en") == str(error)


def test_a_full_disk_is_told_with_the_place() -> None:
    error = OSError(28, "No space left on device", "/mnt/out.mp4")
    assert tell_unwritable(error, "vi") == "Không ghi được /mnt/out.mp4: đĩa đầy, hãy dọn bớt hoặc chọn chỗ khác."
    assert tell_unwritable(OSError(5, "Input/output error", "x"), "en") == "x cannot be written: Input/output error."


@pytest.mark.parametrize(
    ("seen", "is_told", "tamper", "says"),
    [
        (Observation(0.0, ready=False), False, None, "đang làm quen với cảnh"),
        (Observation(0.0, global_change=True), False, None, "ánh sáng đổi"),
        (Observation(0.0), False, None, "yên"),
        (Observation(0.0, moving=True), False, None, "có động, chưa báo"),
        (Observation(0.0, moving=True), True, None, "BÁO ĐỘNG"),
        (Observation(0.0), True, None, "BÁO ĐỘNG, đang chờ xem đã hết chưa"),
        (Observation(0.0, demoted=(Region((0, 0, 1, 1), 0.1, 0.5),)), False, None, "động mãi một chỗ: chỉ ghi"),
        (Observation(0.0, moving=True), True, "covered", "HÌNH BẤT THƯỜNG: bị che"),
    ],
)
def test_the_state_at_a_picture_is_told_in_a_few_words(
    seen: Observation, is_told: bool, tamper: Kind | None, says: str
) -> None:
    assert tell_state(seen, is_told, tamper, "vi") == says
