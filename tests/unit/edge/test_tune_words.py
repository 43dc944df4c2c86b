"""What tuning says of a scene in which nothing, little, or nearly everything moves."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from edge_agent.camera.source import SourceAddress
from edge_agent.tune import Findings
from edge_agent.tune_words import WORDS, legend, paste, tell
from edge_agent.vision.advice import Proposal
from edge_agent.vision.episodes import EpisodeEnded
from edge_agent.vision.settings import MotionSettings, Zone
from tests.unit.edge.test_detect_words import places

CAMERA, FILE = SourceAddress.parse("rtsp://10.0.0.9/1"), SourceAddress.parse("street.mp4")
PASSED = EpisodeEnded(
    0.0, 10_000.0, (0, 0, 1, 1), (0, 0, 0.1, 0.1), (), 1.0, ((0.0, 0.1, 0.5), (10_000.0, 0.9, 0.5)), "quiet"
)
STAYED = replace(PASSED, box=(0.8, 0.1, 0.9, 0.2), path=((0.0, 0.85, 0.15), (10_000.0, 0.86, 0.15)))
FOUND = Findings(600.0, (), (), (), rerun=False, picture=np.zeros((9, 16, 3), np.uint8))


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    assert [word for word, text in WORDS["en"].items() if places(text) != places(WORDS["vi"][word])] == []


@pytest.mark.parametrize(
    ("alarms", "says"),
    [
        ((), "Trong 10 phút vừa qua không có báo động nào."),
        ((PASSED,) * 3, "3 lần báo động, do có thứ đi qua (người, xe, con vật?). Cứ như vậy thì mỗi giờ khoảng 18 lần"),
        ((STAYED,) * 2, "2 lần báo động, do vật chỉ động đậy một chỗ"),
        ((STAYED, PASSED, PASSED), "3 lần báo động: 1 lần do vật chỉ động đậy một chỗ"),
    ],
)
def test_what_stirs_is_counted_apart_from_what_passes(alarms: tuple[EpisodeEnded, ...], says: str) -> None:
    assert says in tell(replace(FOUND, alarms=alarms), CAMERA, "vi")


@pytest.mark.parametrize(
    ("alarms", "says"),
    [
        ((), "tăng `sensitivity`"),
        ((PASSED,), "Không cần chỉnh gì."),
        ((STAYED,), "Không tìm được cách nào"),
        ((PASSED,) * 40, "Có thứ chuyển động trong 67 % thời gian."),
    ],
)
def test_without_a_proposal_it_says_what_that_means(alarms: tuple[EpisodeEnded, ...], says: str) -> None:
    assert says in tell(replace(FOUND, alarms=alarms), CAMERA, "vi").splitlines()[-1]


def test_a_short_recording_is_told_to_be_short_and_gives_no_rate() -> None:
    said = tell(replace(FOUND, watched_s=68.0, alarms=(PASSED,)), FILE, "vi")
    assert said.startswith("Trong đoạn phim dài 1 phút 8 giây có 1 lần báo động")
    assert "quá ngắn để biết" in said
    assert "mỗi giờ" not in said
    assert "quá ngắn" not in tell(FOUND, CAMERA, "vi")


@pytest.mark.parametrize(("language", "name"), [("vi", "lối đi"), ("en", "passage")])
def test_a_proposed_zone_has_a_name_that_people_can_read(language, name) -> None:
    square = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
    proposal = Proposal("zone", MotionSettings(zones=(Zone("passage", square),)), of=5, left=2)
    (zone,) = yaml.safe_load(paste(1, proposal, language))["motion"]["zones"]
    assert zone["name"] == name
    assert len(legend(language)) == 3
