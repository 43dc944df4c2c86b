"""What is made of the rivals' words: times in the file, and episodes."""

import pytest

from benchmarks.detection.rivals import Played, episodes_of, in_time


def test_a_slow_player_and_a_late_end_do_not_move_its_detections() -> None:
    plays = [Played(5.0, 5.0 * 1.1 + 2.0, [2.2]), Played(30.0, 30.0 * 1.1 + 2.0, [11.0, 22.0])]
    (short,), long = in_time(plays)
    assert short == pytest.approx(2.0)
    assert long == pytest.approx([10.0, 20.0])


def test_one_file_alone_is_taken_for_played_in_time() -> None:
    assert in_time([Played(5.0, 7.0, [1.0])]) == [[1.0]]


def test_gaps_under_three_seconds_are_joined() -> None:
    assert episodes_of([1.0, 3.5, 6.5, 10.0]) == [(1.0, 3.5), (6.5, 6.5), (10.0, 10.0)]
