"""Every value out of range is refused with a sentence that says what to write."""

import re

import pytest

from edge_agent.vision.settings import MotionSettings, Zone

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensitivity": 0}, "motion: sensitivity must be a whole number from 1 (least) to 5 (most), not 0"),
        ({"sensitivity": 6}, "motion: sensitivity must be a whole number from 1 (least) to 5 (most), not 6"),
        ({"sensitivity": True}, "motion: sensitivity must be a whole number from 1 (least) to 5 (most), not True"),
        ({"min_size": 0.0}, "min_size: must be a share of the picture's area above 0 and up to 0.5, not 0.0"),
        ({"min_size": 2.0}, "min_size: must be a share of the picture's area above 0 and up to 0.5, not 2.0"),
        ({"min_duration_s": -1.0}, "min_duration_s: must be from 0 to 10 seconds, not -1.0"),
        ({"min_duration_s": float("nan")}, "min_duration_s: must be from 0 to 10 seconds, not nan"),
        ({"end_after_s": 0.1}, "end_after_s: must be from 0.5 to 60 seconds, not 0.1"),
        ({"max_episode_s": 1.0}, "max_episode_s: must be from 5 to 3600 seconds, not 1.0"),
        ({"max_episode_s": 5.0, "end_after_s": 5.0}, "max_episode_s: 5 must be longer than end_after_s (5)"),
        (
            {"masks": (((0.0, 0.0), (1.0, 1.0)),)},
            "mask 1: a polygon needs at least 3 points, not 2: list its corners as [x, y]",
        ),
        (
            {"masks": (((0.0, 0.0), (1.0, 0.0), (1.0, 1.5)),)},
            "mask 1: point [1.0, 1.5] is outside the picture: x and y are shares of width and height, 0 to 1",
        ),
        (
            {"masks": (((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)),)},
            "mask 1: the polygon has no area: its corners lie on one line",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MotionSettings(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", SQUARE), "zone: a zone needs a name"),
        (("gate", SQUARE[:2]), "zone 'gate': a polygon needs at least 3 points, not 2"),
        (("gate", SQUARE, 9), "zone 'gate': sensitivity must be a whole number from 1 (least) to 5 (most), not 9"),
    ],
)
def test_an_impossible_zone_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Zone(*arguments)


def test_two_zones_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="the name 'gate' is used twice"):
        MotionSettings(zones=(Zone("gate", SQUARE), Zone("gate", SQUARE)))


def test_the_usual_settings_are_sound() -> None:
    settings = MotionSettings(zones=(Zone("gate", SQUARE, 5),), masks=(SQUARE,))
    assert settings.sensitivity == 3
