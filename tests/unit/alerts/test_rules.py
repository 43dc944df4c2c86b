"""Rules: what they match and why not."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from collector.alerts.rules import DEFAULT_RULES, EpisodeFacts, Hours, LocalTime, Rule, local_time_at

FRIDAY, SATURDAY, SUNDAY, MONDAY = 4, 5, 6, 0
NOON = LocalTime(FRIDAY, 12 * 60)
EPISODE = EpisodeFacts(
    id="e", box="truong-hoc", camera="gate", start_ms=1000, last_ms=3000, received_ms=5000, zones=("yard",), score=0.5
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(name="r"), None),
        (Rule(name="r", cameras=("truong-hoc/gate",)), None),
        (Rule(name="r", cameras=("truong-*/*",)), None),
        (Rule(name="r", cameras=("*/gat?",)), None),
        (Rule(name="r", cameras=("*/hall", "*/gate")), None),
        (Rule(name="r", cameras=("*/hall",)), "camera"),
        (Rule(name="r", cameras=("cho/gate",)), "camera"),
        (Rule(name="r", zones=("yard",)), None),
        (Rule(name="r", zones=("road", "yard")), None),
        (Rule(name="r", zones=("road",)), "zone"),
        (Rule(name="r", kinds=("motion",)), None),
        (Rule(name="r", kinds=("person",)), "kind"),
        (Rule(name="r", kinds=("tamper",)), "kind"),
        (Rule(name="r", min_score=0.5), None),
        (Rule(name="r", min_score=0.51), "score"),
        (Rule(name="r", hours=(Hours(8 * 60, 17 * 60),)), None),
        (Rule(name="r", hours=(Hours(22 * 60, 5 * 60),)), "hours"),
        (Rule(name="r", hours=(Hours(22 * 60, 5 * 60), Hours(11 * 60, 13 * 60))), None),
    ],
)
def test_a_rule_says_why_it_does_not_match(rule: Rule, expected: str | None) -> None:
    assert rule.why_not(EPISODE, NOON) == expected
    assert rule.matches(EPISODE, NOON) is (expected is None)


def test_a_rule_with_zones_matches_once_a_later_update_brings_the_zone() -> None:
    rule = Rule(name="road", zones=("road",))
    assert not rule.matches(EPISODE, NOON)
    assert rule.matches(replace(EPISODE, zones=("yard", "road")), NOON)


@pytest.mark.parametrize(
    ("weekday", "minute", "covered"),
    [
        (FRIDAY, 22 * 60 - 1, False),
        (FRIDAY, 22 * 60, True),
        (FRIDAY, 23 * 60 + 59, True),
        (SATURDAY, 0, True),
        (SATURDAY, 5 * 60 - 1, True),
        (SATURDAY, 5 * 60, False),
        (SATURDAY, 23 * 60, False),
        (FRIDAY, 60, False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(weekday: int, minute: int, covered: bool) -> None:
    assert Hours(22 * 60, 5 * 60, frozenset({FRIDAY})).covers(LocalTime(weekday, minute)) is covered


def test_sunday_night_runs_into_monday() -> None:
    assert Hours(22 * 60, 5 * 60, frozenset({SUNDAY})).covers(LocalTime(MONDAY, 60))


def test_hours_from_midnight_to_midnight_cover_the_whole_day() -> None:
    whole = Hours(0, 24 * 60)
    assert all(whole.covers(LocalTime(FRIDAY, minute)) for minute in range(0, 1440, 7))


def test_hours_that_begin_and_end_at_the_same_minute_last_a_day() -> None:
    assert Hours(480, 480, frozenset({FRIDAY})).covers(LocalTime(FRIDAY, 480))
    assert Hours(480, 480, frozenset({FRIDAY})).covers(LocalTime(SATURDAY, 479))
    assert not Hours(480, 480, frozenset({FRIDAY})).covers(LocalTime(SATURDAY, 480))


@pytest.mark.parametrize("hours", [(-1, 5), (1440, 5), (0, 1441)])
def test_hours_outside_the_day_are_refused(hours: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="between 00:00 and 24:00"):
        Hours(*hours)


def test_local_time_is_that_of_the_site() -> None:
    # 2026-11-20 (a Friday) 17:30 UTC is Saturday 00:30 in Ho Chi Minh City
    assert local_time_at(1_795_195_800_000, ZoneInfo("Asia/Ho_Chi_Minh")) == LocalTime(SATURDAY, 30)


def test_without_rules_every_camera_tells_the_screen_at_all_hours() -> None:
    (rule,) = DEFAULT_RULES
    assert rule.channels == ("screen",)
    assert rule.cool_down_s == 60
    assert rule.matches(EPISODE, NOON)


def test_a_pattern_without_a_box_is_refused() -> None:
    with pytest.raises(
        ValueError, match='rule night: camera pattern \'gate\' must be "box/camera", such as "\\*/gate"'
    ):
        Rule(name="night", cameras=("gate",))


def test_where_the_clock_of_the_box_is_not_set_the_time_of_arrival_counts() -> None:
    unset = replace(EPISODE, clock_set=False)
    assert (EPISODE.moment_ms, EPISODE.moment_last_ms) == (1000, 3000)
    assert (unset.moment_ms, unset.moment_last_ms) == (5000, 7000)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [((), None), (("tamper",), None), (("tamper:covered",), None), (("tamper:frozen",), "kind"), (("motion",), "kind")],
)
def test_a_rule_asks_for_all_that_is_done_to_cameras_or_for_one_kind_of_it(kinds, reason):
    episode = EpisodeFacts("e", "hop", "gate", 0, 0, 0, kind="tamper:covered", score=1.0)
    assert Rule(name="r", kinds=kinds).why_not(episode, LocalTime(0, 0)) == reason
