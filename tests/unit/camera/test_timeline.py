from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.timeline import Placed, Timeline

MS = Fraction(1, 1000)
RTP = Fraction(1, 90_000)
Stamps = list[tuple[int | None, int | None, float]]


def _place(stamps: Stamps, time_base: Fraction = MS, **settings: float) -> list[Placed]:
    timeline = Timeline(time_base, **settings)
    return [timeline.place(*stamp) for stamp in stamps]


def test_a_steady_stream_keeps_its_stamps_and_arrives_when_it_arrives() -> None:
    placed = _place([(100, 100, 5000.0), (140, 140, 5040.0), (180, 180, 5080.0)])
    assert placed == [Placed(100, 100, 5000.0, False), Placed(140, 140, 5040.0, False), Placed(180, 180, 5080.0, False)]


def test_jitter_of_the_network_vanishes_once_a_packet_came_without_delay() -> None:
    stamps: Stamps = [
        (index * 40, index * 40, 1000.0 + index * 40 + delay) for index, delay in enumerate((0, 90, 30, 0, 55))
    ]
    assert [placed.mono_ms for placed in _place(stamps)] == [1000.0, 1040.0, 1080.0, 1120.0, 1160.0]


def test_a_burst_of_older_pictures_at_the_start_moves_the_clock_forwards_only() -> None:
    stamps: Stamps = [(index * 40, index * 40, 1000.0 + index) for index in range(10)]
    stamps += [(400 + index * 40, 400 + index * 40, 1010.0 + index * 40) for index in range(5)]
    moments = [placed.mono_ms for placed in _place(stamps)]
    assert moments == sorted(moments)
    assert moments[-1] == pytest.approx(1170.0)


def test_a_stall_that_catches_up_is_no_jump() -> None:
    stamps: Stamps = [(0, 0, 0.0), (40, 40, 9000.0), (80, 80, 9001.0), (9040, 9040, 9041.0)]
    placed = _place(stamps)
    assert not any(one.jumped for one in placed)
    assert [one.mono_ms for one in placed] == [0.0, 40.0, 80.0, 9040.0]


@pytest.mark.parametrize("jump", [3_600_000, -3_600_000, -2000, 25_000])
def test_a_jump_of_the_cameras_clock_is_taken_out_and_counted(jump: int) -> None:
    timeline = Timeline(MS)
    timeline.place(5_000_000, 5_000_000, 0.0)
    timeline.place(5_000_040, 5_000_040, 40.0)
    placed = timeline.place(5_000_080 + jump, 5_000_080 + jump, 80.0)
    assert placed == Placed(5_000_080, 5_000_080, 80.0, True)
    assert timeline.place(5_000_120 + jump, 5_000_120 + jump, 120.0) == Placed(5_000_120, 5_000_120, 120.0, False)
    assert timeline.jumps == 1


@pytest.mark.parametrize("bits", [32, 33])
def test_a_counter_that_wraps_is_no_jump(bits: int) -> None:
    wrap = 1 << bits
    timeline = Timeline(RTP)
    timeline.place(wrap - 3600, wrap - 3600, 0.0)
    placed = timeline.place(0, 0, 40.0)
    assert placed == Placed(wrap, wrap, pytest.approx(40.0), False)  # type: ignore[arg-type]
    assert timeline.jumps == 0


@pytest.mark.parametrize(
    ("what", "stamps", "expected"),
    [
        ("none at all", [(None, None, 0.0), (None, None, 40.0), (None, None, 75.0)], [0, 40, 75]),
        ("standing still", [(0, 0, 0.0), (0, 0, 40.0), (0, 0, 80.0)], [0, 40, 80]),
        ("only dts", [(None, 0, 0.0), (None, 40, 40.0)], [0, 40]),
        ("one is missing", [(0, 0, 0.0), (None, None, 40.0), (80, 80, 80.0)], [0, 40, 80]),
        ("the first is missing", [(None, None, 0.0), (40, 40, 40.0), (80, 80, 80.0)], [0, 40, 80]),
        ("the first is missing, a large count", [(None, None, 0.0), (90_040, 90_040, 40.0)], [0, 40]),
    ],
)
def test_missing_stamps_are_made_from_the_arrival(what: str, stamps: Stamps, expected: list[int]) -> None:
    placed = _place(stamps)
    assert [one.pts for one in placed] == expected, what
    assert [one.mono_ms for one in placed] == [float(moment) for moment in expected], what
    assert not any(one.jumped for one in placed), what


def test_swapped_decoding_stamps_are_put_right_and_counted_and_the_picture_stamps_stay() -> None:
    timeline = Timeline(MS)
    placed = [
        timeline.place(pts, dts, float(at)) for pts, dts, at in ((100, 0, 0), (60, 40, 40), (80, 30, 41), (140, 80, 80))
    ]
    assert [one.dts for one in placed] == [0, 40, 41, 80]
    assert [one.pts for one in placed] == [100, 60, 80, 140]
    assert timeline.disorder == 1


def test_a_reordering_stream_without_decoding_stamps_at_first_keeps_its_picture_stamps() -> None:
    stamps: Stamps = [(None, None, 0.0), (13500, None, 1.0), (4500, None, 2.0), (9000, 4500, 3.0), (27000, 9000, 50.0)]
    placed = _place(stamps, RTP)
    assert [one.pts for one in placed] == [0, 13500, 4500, 9000, 27000]
    assert [one.dts for one in placed] == [0, 1, 2, 4500, 9000]


def test_a_camera_clock_that_runs_slow_does_not_drift_away() -> None:
    drifting: Stamps = [(index * 1000, index * 1000, index * 1001.0) for index in range(3600)]  # 0.1 % slow for an hour
    placed = _place(drifting)
    worst_ms = max(at - one.mono_ms for (_, _, at), one in zip(drifting, placed, strict=True))
    assert worst_ms <= 21.0


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(1 << 40), 1 << 40)),
            st.one_of(st.none(), st.integers(-(1 << 40), 1 << 40)),
            st.floats(0, 5000),
        ),
        max_size=40,
    )
)
def test_whatever_stamps_come_decoding_order_rises_and_nothing_is_decoded_in_the_future(steps: Stamps) -> None:
    timeline = Timeline(RTP)
    now_ms, last_dts = 0.0, None
    for pts, dts, step_ms in steps:
        now_ms += step_ms
        placed = timeline.place(pts, dts, now_ms)
        assert last_dts is None or placed.dts > last_dts
        assert placed.pts >= placed.dts
        assert placed.mono_ms <= now_ms + (placed.pts - placed.dts) / 90 + 0.01
        last_dts = placed.dts
