"""Sliding rates of a stream."""

import pytest

from edge_agent.camera.stats import Rate


def told(rate: Rate, fps: float, seconds: float, size: int = 1000, from_ms: float = 0.0) -> float:
    """Tell of a steady stream; returns the moment of its last packet."""
    count = round(fps * seconds)
    for number in range(count):
        rate.add(from_ms + number * 1000.0 / fps, size)
    return from_ms + (count - 1) * 1000.0 / fps


def test_nothing_is_known_of_a_stream_that_sent_one_packet() -> None:
    rate = Rate()
    assert rate.figures(0.0) == (None, None)
    rate.add(0.0, 500)
    assert rate.figures(100.0) == (None, None)


@pytest.mark.parametrize("fps", [1, 5, 10, 12.5, 25, 30])
@pytest.mark.parametrize("seconds", [2.4, 7.0, 60.0])
def test_a_steady_stream_has_its_own_rate(fps: float, seconds: float) -> None:
    rate = Rate()
    now_ms = told(rate, fps, seconds)
    seen, bps = rate.figures(now_ms)
    assert seen == pytest.approx(fps, rel=0.01)
    if seconds >= 7:
        assert bps == pytest.approx(fps * 8000, rel=0.01)


def test_the_first_second_is_told_too() -> None:
    rate = Rate()
    now_ms = told(rate, 20, 0.5)
    assert rate.figures(now_ms)[0] == pytest.approx(20)


def test_only_the_last_ten_seconds_count() -> None:
    rate = Rate()
    told(rate, 30, 30)
    now_ms = told(rate, 10, 30, from_ms=30_000)
    assert rate.figures(now_ms)[0] == pytest.approx(10, rel=0.01)


def test_a_stream_that_stopped_slows_down_and_is_then_unknown() -> None:
    rate = Rate()
    now_ms = told(rate, 10, 20)
    slower = rate.figures(now_ms + 5000)[0]
    assert slower is not None
    assert slower < 8
    assert rate.figures(now_ms + 11_000) == (None, None)
