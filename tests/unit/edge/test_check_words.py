"""What check says: both languages say the same things, and advice follows from what was seen."""

import string
from dataclasses import replace
from typing import get_args

import pytest

from edge_agent.aim.words import TEXTS, text_of
from edge_agent.camera.unavailable import Reason
from edge_agent.check import Look, StreamLook, check_power, check_upload, judge_stream

CURE = "Use the Pi's own power supply and a short cable"
GOOD = Look(
    width=1920, height=1080, codec="h264", fps=25.0, kbps=2048.0, key_s=2.0, looked_s=6.0, is_recordable=True, jpeg=b""
)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    assert TEXTS["vi"].keys() == TEXTS["en"].keys()
    for word, text in TEXTS["en"].items():
        assert places(text) == places(TEXTS["vi"][word]) or word.startswith(("camera_", "file_")), word


@pytest.mark.parametrize("reason", get_args(Reason))
def test_why_a_camera_gives_no_picture_is_told_in_vietnamese_too(reason: Reason) -> None:
    facts: dict[str, object] = {"text": "The camera rtsp://10.0.0.9 says no.", "where": "rtsp://10.0.0.9"}
    assert text_of(f"camera_{reason}", facts, "en") == facts["text"]
    vietnamese = text_of(f"camera_{reason}", facts, "vi")
    assert vietnamese.startswith("rtsp://10.0.0.9: ")
    assert "says no" not in vietnamese


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (GOOD, ["picture"]),
        (replace(GOOD, codec="hevc"), ["picture", "codec"]),
        (replace(GOOD, key_s=4.1), ["picture", "key_far"]),
        (replace(GOOD, key_s=None), ["picture", "key_none"]),
        (replace(GOOD, key_s=None, looked_s=1.0), ["picture"]),
        (replace(GOOD, kbps=6200.0), ["picture", "kbps_high"]),
        (replace(GOOD, is_recordable=False), ["picture"]),
    ],
)
def test_a_main_stream_is_judged_by_what_was_seen(look: Look, words: list[str]) -> None:
    found = list(judge_stream(StreamLook("gate", "main", look, None)))
    assert [each.word for each in found] == words
    assert all(each.ok for each in found)
    assert [each.is_advice for each in found] == [False, *[True] * (len(words) - 1)]


def test_a_sub_stream_is_only_looked_at_and_may_be_as_it_likes() -> None:
    look = replace(GOOD, codec="hevc", key_s=10.0)
    assert [each.word for each in judge_stream(StreamLook("gate", "sub", look, None))] == ["picture"]


def test_the_picture_is_told_in_both_languages() -> None:
    (english,) = judge_stream(StreamLook("gate", "main", GOOD, None), "en")
    assert english.say("en") == "picture 1920x1080 h264, 25.0 frames/s, 2048 kbit/s, a key frame every 2.0 s"
    (vietnamese,) = judge_stream(StreamLook("gate", "main", GOOD, None), "vi")
    assert vietnamese.say("vi") == "hình 1920x1080 h264, 25.0 hình/giây, 2048 kbit/s, khung khóa mỗi 2.0 giây"


@pytest.mark.parametrize(
    ("throttled", "ok", "text"),
    [
        (None, None, ""),
        (0, True, "enough voltage since the start"),
        (0x50005, False, "too little voltage right now. " + CURE),
        (
            0x50000,
            False,
            "there was too little voltage since the start. " + CURE,
        ),
        (0x80000, True, "enough voltage since the start"),  # it was hot once: not a matter of voltage
    ],
)
def test_power_is_told_by_a_pi_alone(throttled: int | None, ok: bool | None, text: str) -> None:
    found = [(each.ok, each.say()) for each in check_power(throttled)]
    assert found == ([] if ok is None else [(ok, text)])


def test_a_line_that_is_slower_than_the_cameras_is_advice_not_a_mistake() -> None:
    looks = [StreamLook("gate", "main", GOOD, None), StreamLook("gate", "sub", GOOD, None)]
    slow, fast = check_upload(1000.0, looks), check_upload(20_480.0, looks)
    assert (slow.ok, slow.is_advice, slow.word) == (True, True, "upload_slow")
    assert fast.say() == "20480 kbit/s; a clip of 10 s of all cameras takes 1 s"


def test_every_word_can_be_said() -> None:
    facts = dict.fromkeys(set().union(*(places(text) for text in TEXTS["en"].values())), 1.0)
    for word in TEXTS["en"]:
        assert text_of(word, dict(facts), "vi")
