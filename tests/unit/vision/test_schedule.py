"""Windows of local time, over midnight too."""

import pytest

from edge_agent.vision.schedule import Schedule, Window


def minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


NIGHT = Schedule((Window(minute("22:30"), minute("05:00")),))
SATURDAY_NIGHT = Schedule((Window(minute("22:30"), minute("05:00"), frozenset({5})),))


def test_no_window_means_always() -> None:
    assert Schedule().active(0, 0)
    assert Schedule().active(1439, 6)


@pytest.mark.parametrize(
    ("time", "expected"),
    [("22:29", False), ("22:30", True), ("23:59", True), ("00:00", True), ("04:59", True), ("05:00", False)],
)
def test_a_night_runs_over_midnight(time: str, expected: bool) -> None:
    assert NIGHT.active(minute(time), 2) is expected


@pytest.mark.parametrize(
    ("time", "weekday", "expected"),
    [("23:00", 5, True), ("01:00", 6, True), ("01:00", 5, False), ("23:00", 6, False), ("01:00", 0, False)],
)
def test_a_night_belongs_to_the_day_on_which_it_starts(time: str, weekday: int, expected: bool) -> None:
    assert SATURDAY_NIGHT.active(minute(time), weekday) is expected


def test_the_night_of_sunday_ends_on_monday() -> None:
    assert Schedule((Window(1350, 300, frozenset({6})),)).active(60, 0)


def test_a_window_up_to_midnight_and_a_whole_day() -> None:
    evening = Schedule((Window(minute("18:00"), 1440),))
    assert evening.active(1439, 0)
    assert not evening.active(0, 0)
    round_the_clock = Schedule((Window(0, 1440, frozenset({0})),))
    assert round_the_clock.active(1439, 0)
    assert not round_the_clock.active(0, 1)


def test_several_windows_add_up() -> None:
    both = Schedule((Window(0, 60), Window(120, 180)))
    assert [both.active(at, 0) for at in (30, 90, 150)] == [True, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 10), "a window starts from 00:00 to 23:59, not at minute -1"),
        ((1440, 10), "a window starts from 00:00 to 23:59, not at minute 1440"),
        ((0, 1441), "a window ends from 00:00 to 24:00, not at minute 1441"),
        ((0, 60, frozenset()), r"weekdays are 0 \(Monday\) to 6 \(Sunday\), not \[\]"),
        ((0, 60, frozenset({7})), r"weekdays are 0 \(Monday\) to 6 \(Sunday\), not \[7\]"),
    ],
)
def test_an_impossible_window_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window(*arguments)
