"""What people type for a moment, as a day and a time."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.typed_time import Typed, moment_of, read_typed

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 16, 0, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


def at(hour, minute=0, second=0):
    return hour * 3600 + minute * 60 + second


@pytest.mark.parametrize(
    ("text", "day", "second"),
    [
        ("14:35", None, at(14, 35)),
        ("1435", None, at(14, 35)),
        ("0635", None, at(6, 35)),
        ("635", None, at(6, 35)),
        ("14", None, at(14)),
        ("2h35", None, at(2, 35)),
        ("14h35", None, at(14, 35)),
        ("14g35", None, at(14, 35)),
        ("14h", None, at(14)),
        ("14:35:20", None, at(14, 35, 20)),
        ("14 giờ 35", None, at(14, 35)),
        ("2 giờ 35 phút", None, at(2, 35)),
        ("2h35 chiều", None, at(14, 35)),
        ("2:35 pm", None, at(14, 35)),
        ("12:05 am", None, at(0, 5)),
        ("7h tối", None, at(19)),
        ("12h trưa", None, at(12)),
        ("1h trưa", None, at(13)),
        ("11h30 trưa", None, at(11, 30)),
        ("hôm qua 14:35", date(2026, 11, 23), at(14, 35)),
        ("14:35 hôm qua", date(2026, 11, 23), at(14, 35)),
        ("Hôm Kia 2h35 chiều", date(2026, 11, 22), at(14, 35)),
        ("yesterday 14:35", date(2026, 11, 23), at(14, 35)),
        ("tối qua 9h", date(2026, 11, 23), at(21)),
        ("23/11 9h", date(2026, 11, 23), at(9)),
        ("9h, 23/11", date(2026, 11, 23), at(9)),
        ("25/12 1435", date(2025, 12, 25), at(14, 35)),
        ("01/02/2025 14:35", date(2025, 2, 1), at(14, 35)),
        ("2026-11-02 14:35", date(2026, 11, 2), at(14, 35)),
        ("hôm qua", date(2026, 11, 23), None),
        ("23/11/2026", date(2026, 11, 23), None),
        ("0:00", None, 0),
    ],
)
def test_a_typed_moment_is_understood(text, day, second):
    assert read_typed(text, TODAY) == Typed(day, second)


@pytest.mark.parametrize(
    "text", ["", "abc", "25:00", "14:61", "31/02 14:35", "14:35 bốn", "99999", "hôm qua 23/11", "-1"]
)
def test_what_is_no_moment_is_none(text):
    assert read_typed(text, TODAY) is None


def test_without_a_day_it_is_the_last_time_that_the_clock_showed_this():
    assert moment_of(Typed(None, at(14, 35)), None, NOW).isoformat() == "2026-11-24T14:35:00+07:00"
    assert moment_of(Typed(None, at(16, 1)), None, NOW).isoformat() == "2026-11-23T16:01:00+07:00"
    assert moment_of(Typed(None, at(16, 1)), date(2026, 11, 3), NOW).isoformat() == "2026-11-03T16:01:00+07:00"
    assert moment_of(Typed(date(2026, 11, 2), at(16, 1)), date(2026, 11, 3), NOW).day == 2
    assert moment_of(Typed(date(2026, 11, 2), None), None, NOW) is None


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text):
    found = read_typed(text, TODAY)
    assert found is None or found.second is None or 0 <= found.second < 86_400
