"""What a request may ask for, and the exact words when it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.problems import Problem
from collector.web.query import MAX_MS, Query, cursor, parse_cursor, parse_time, rfc3339


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-09-21T14:13:20Z", 1_790_000_000_000),
        ("2026-09-21t14:13:20z", 1_790_000_000_000),
        ("2026-09-21T21:13:20.5+07:00", 1_790_000_000_500),
        ("2026-09-21T14:13:20.123999Z", 1_790_000_000_123),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59.999Z", MAX_MS),
    ],
)
def test_a_time_with_a_zone_is_read_to_the_millisecond(text, ms):
    assert parse_time(text, "since") == ms


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-09-21", "2026-09-21T14:13:20", "2026-09-21 14:13:20Z", "2026-13-21T14:13:20Z", "1790000000000",
        "2026-09-21T25:13:20Z", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-09-21T14:13:20Z", "2026-09-21T14:13:20+99:99",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(Problem) as caught:
        parse_time(text, "since")
    assert caught.value.status == 400
    assert caught.value.detail == f"since: {text[:60]!r} is no time."
    assert "2026-11-23T16:05:09Z" in (caught.value.hint or "")


@given(st.integers(0, MAX_MS))
def test_times_written_are_times_read(ms):
    assert parse_time(rfc3339(ms) or "", "since") == ms


@given(st.integers(0, MAX_MS), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_a_cursor_comes_back_as_it_went(ms, name):
    assert parse_cursor(cursor(ms, name)) == (ms, name)


@given(st.text(max_size=120))
def test_a_cursor_of_somebody_elses_is_a_problem_and_nothing_worse(text):
    try:
        ms, name = parse_cursor(text)
    except Problem:
        return
    assert 0 <= ms <= MAX_MS
    assert isinstance(name, str)


@pytest.mark.parametrize(
    ("items", "detail"),
    [
        ([("sinse", "x")], "sinse: is no parameter here."),
        ([("limit", "5"), ("limit", "6")], "limit: is given twice."),
        ([("limit", "0")], "limit: '0' is out of range."),
        ([("limit", "501")], "limit: '501' is out of range."),
        ([("limit", "-1")], "limit: '-1' is out of range."),
        ([("limit", "٥")], "limit: '٥' is out of range."),
        ([("limit", "9" * 5000)], f"limit: {'9' * 40!r} is out of range."),
        ([("camera", "../etc")], "camera: '../etc' is no camera."),
        ([("camera", "A")], "camera: 'A' is no camera."),
        ([("camera", "no/such/camera")], "camera: 'no/such/camera' is no camera."),
        ([("since", "yesterday")], "since: 'yesterday' is no time."),
        ([("after", "??")], "after: is no place in this list."),
        ([("camera", "a\0b")], "camera: holds a character that no text has."),
    ],
)
def test_every_mistake_says_what_and_where(items, detail):
    def read_all() -> None:
        query = Query(items, ("camera", "since", "limit", "after"))
        query.camera()
        query.time_ms("since")
        query.limit()
        query.after()

    with pytest.raises(Problem) as caught:
        read_all()
    assert caught.value.detail == detail
    assert caught.value.hint


def test_a_camera_is_named_with_or_without_its_box():
    assert Query([("camera", "box-01/gate")], ("camera",)).camera() == ("box-01", "gate")
    assert Query([("camera", "gate")], ("camera",)).camera() == (None, "gate")
    assert Query([("camera", "")], ("camera",)).camera() is None
