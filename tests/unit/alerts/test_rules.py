"""Rules: what they match and why not."""

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from collector.alerts.roster import Shift, first_gap, next_on_duty, on_duty
from collector.alerts.rules import DEFAULT_RULES, EpisodeFacts, Hours, LocalTime, Rule, SunTime, local_time_at
from collector.alerts.sky import Sky

FRIDAY, SATURDAY, SUNDAY, MONDAY = 4, 5, 6, 0
NOON = LocalTime(FRIDAY, 12 * 60)
EPISODE = EpisodeFacts(
    id="e", box="truong-hoc", camera="gate", start_ms=1000, last_ms=3000, received_ms=5000, zones=("yard",), score=0.5,
    size=0.1,
)  # fmt: skip


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
        (Rule(name="r", min_size=0.1), None),
        (Rule(name="r", min_size=0.11), "size"),
        (Rule(name="r", min_dwell_s=2), None),
        (Rule(name="r", min_dwell_s=2.1), "dwell"),
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
    assert local_time_at(1_795_195_800_000, ZoneInfo("Asia/Ho_Chi_Minh")) == LocalTime(SATURDAY, 30, date(2026, 11, 21))


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


HANOI = Sky(21.03, 105.85, ZoneInfo("Asia/Ho_Chi_Minh"))
NIGHT = Hours(18 * 60, 6 * 60, start_sun=SunTime("sunset", HANOI), end_sun=SunTime("sunrise", HANOI))


@pytest.mark.parametrize(
    ("sky", "day", "sunrise", "sunset"),
    [  # almanac times
        (HANOI, date(2026, 6, 21), "05:16", "18:42"),
        (HANOI, date(2026, 12, 21), "06:31", "17:20"),
        (Sky(10.78, 106.70, ZoneInfo("Asia/Ho_Chi_Minh")), date(2026, 3, 20), "05:58", "18:04"),
        (Sky(51.48, 0.0, ZoneInfo("Europe/London")), date(2026, 6, 21), "04:43", "21:21"),
        (Sky(40.71, -74.01, ZoneInfo("America/New_York")), date(2026, 12, 21), "07:17", "16:32"),
        (Sky(-33.87, 151.21, ZoneInfo("Australia/Sydney")), date(2026, 12, 21), "05:41", "20:06"),
    ],
)
def test_the_sun_rises_and_sets_when_the_almanac_says(sky: Sky, day: date, sunrise: str, sunset: str) -> None:
    for event, told in (("sunrise", sunrise), ("sunset", sunset)):
        hour, minute = map(int, told.split(":"))
        assert abs(sky.minute(event, day) - (hour * 60 + minute)) <= 2, event  # type: ignore[arg-type]


def at(text: str) -> LocalTime:
    return local_time_at(round(datetime.fromisoformat(f"{text}+07:00").timestamp() * 1000), HANOI.zone)


@pytest.mark.parametrize(
    ("moment", "hours", "covered"),
    [
        ("2026-06-21T18:30", NIGHT, False),  # still light
        ("2026-06-21T18:50", NIGHT, True),
        ("2026-12-21T17:30", NIGHT, True),  # dark at half past five in winter
        ("2026-12-21T06:20", NIGHT, True),
        ("2026-12-21T06:45", NIGHT, False),
        ("2026-12-21T12:00", NIGHT, False),
        ("2026-12-21T17:00", replace(NIGHT, start_sun=SunTime("sunset", HANOI, -30)), True),
        ("2026-12-21T03:00", replace(NIGHT, weekdays=frozenset({SUNDAY})), True),  # the night from Sunday to Monday
        ("2026-12-22T03:00", replace(NIGHT, weekdays=frozenset({SUNDAY})), False),
        ("2027-02-05T10:00", Hours(0, 1440, frozenset({SATURDAY, SUNDAY})), False),  # a Friday
        ("2027-02-05T10:00", Hours(0, 1440, frozenset({SATURDAY}), frozenset({date(2027, 2, 5)})), True),
        ("2027-02-06T02:00", Hours(1320, 300, frozenset(), frozenset({date(2027, 2, 5)})), True),  # over midnight
        ("2027-02-05T02:00", Hours(1320, 300, frozenset(), frozenset({date(2027, 2, 5)})), False),
        ("2027-02-05T23:00", Hours(1320, 300, frozenset({FRIDAY}), frozenset({date(2027, 2, 5)})), True),  # both
    ],
)
def test_hours_go_by_the_sun_and_by_holidays(moment: str, hours: Hours, covered: bool) -> None:
    assert hours.covers(at(moment)) is covered


DAY_SHIFT = Shift("Lan", "lan", (Hours(6 * 60, 18 * 60, frozenset(range(5))),))
NIGHT_SHIFT = Shift("Minh", "minh", (Hours(18 * 60, 6 * 60),))
WEEKEND = Shift("Hoa", "hoa", (Hours(6 * 60, 18 * 60, frozenset({SATURDAY, SUNDAY})),))
ROSTER = (DAY_SHIFT, NIGHT_SHIFT, WEEKEND)


@pytest.mark.parametrize(
    ("weekday", "minute", "now", "after"),
    [
        (MONDAY, 6 * 60, ["lan"], ["minh"]),
        (MONDAY, 6 * 60 - 1, ["minh"], ["lan"]),
        (FRIDAY, 23 * 60, ["minh"], ["hoa"]),
        (SUNDAY, 17 * 60, ["hoa"], ["minh"]),
        (MONDAY, 0, ["minh"], ["lan"]),
    ],
)
def test_the_roster_knows_who_is_on_duty_and_who_comes_next(
    weekday: int, minute: int, now: list[str], after: list[str]
) -> None:
    local = LocalTime(weekday, minute)
    assert (on_duty(ROSTER, local), next_on_duty(ROSTER, local)) == (now, after)


def test_a_roster_with_a_hole_says_where() -> None:
    assert first_gap(ROSTER) is None
    assert first_gap((DAY_SHIFT, NIGHT_SHIFT)) == LocalTime(SATURDAY, 6 * 60)
    alone = (Shift("Lan", "lan", (Hours(0, 1440),)),)
    assert (first_gap(alone), next_on_duty(alone, NOON)) == (None, [])
