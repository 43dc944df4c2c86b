"""Observations become episodes: starts, updates and ends at the right times."""

import math

import pytest

from edge_agent.vision.episodes import (
    PATH_POINTS,
    EpisodeEnded,
    EpisodeEvent,
    EpisodeStarted,
    EpisodeTracker,
    EpisodeUpdated,
)
from edge_agent.vision.observation import Box, Observation, Region
from edge_agent.vision.settings import MotionSettings, Zone

BOX = (0.4, 0.4, 0.5, 0.6)


def moving(t_ms: float, box: Box = BOX, zones: tuple[str, ...] = (), since_ms: float | None = None) -> Observation:
    return Observation(t_ms, True, (Region(box, 0.02, 0.7, zones),), 0.7, since_ms=since_ms)


def quiet(t_ms: float) -> Observation:
    return Observation(t_ms)


def run(tracker: EpisodeTracker, observations: list[Observation]) -> list[EpisodeEvent]:
    return [event for observation in observations for event in tracker.step(observation, observation.t_ms)]


def stretch(start_ms: int, end_ms: int, step_ms: int = 100) -> list[Observation]:
    return [moving(t_ms) for t_ms in range(start_ms, end_ms + 1, step_ms)]


def silence(start_ms: int, end_ms: int, step_ms: int = 100) -> list[Observation]:
    return [quiet(t_ms) for t_ms in range(start_ms, end_ms + 1, step_ms)]


def test_an_episode_starts_at_its_first_moving_frame_and_ends_soon_after_its_last() -> None:
    tracker = EpisodeTracker(MotionSettings())
    events = run(tracker, silence(0, 900) + stretch(1000, 3000) + silence(3100, 7000))
    started, ended = events
    assert started == EpisodeStarted(1000, BOX, (), 0.7)
    assert isinstance(ended, EpisodeEnded)
    assert (ended.start_ms, ended.end_ms, ended.reason) == (1000, 3700, "quiet")
    assert not tracker.in_episode


def test_motion_shorter_than_the_least_duration_starts_nothing() -> None:
    tracker = EpisodeTracker(MotionSettings(min_duration_s=0.3))
    assert run(tracker, stretch(1000, 1200) + silence(1300, 9000)) == []


def test_the_start_goes_back_to_when_the_thing_was_first_seen() -> None:
    tracker = EpisodeTracker(MotionSettings(min_duration_s=0.3))
    (started,) = tracker.step(moving(1000, since_ms=600), 1000)
    assert isinstance(started, EpisodeStarted)
    assert started.start_ms == 600


def test_a_new_episode_never_starts_before_the_last_one_ended() -> None:
    tracker = EpisodeTracker(MotionSettings(end_after_s=1.0))
    run(tracker, stretch(1000, 2000))
    ended, started = tracker.step(moving(5000, since_ms=1500), 5000)
    assert isinstance(ended, EpisodeEnded)
    assert isinstance(started, EpisodeStarted)
    assert ended.end_ms == 2700 <= started.start_ms


def test_a_thing_that_was_seen_long_ago_starts_no_episode_before_the_last_one_ended() -> None:
    tracker = EpisodeTracker(MotionSettings(end_after_s=1.0))
    run(tracker, stretch(1000, 2000) + silence(2100, 4000))
    (started,) = tracker.step(moving(4100, since_ms=1500), 4100)
    assert isinstance(started, EpisodeStarted)
    assert started.start_ms == 2700


def test_a_pause_shorter_than_the_end_is_bridged() -> None:
    tracker = EpisodeTracker(MotionSettings(end_after_s=3.0))
    events = run(tracker, stretch(0, 1000) + silence(1100, 3800) + stretch(3900, 5000) + silence(5100, 9000))
    assert [type(event) for event in events] == [EpisodeStarted, EpisodeEnded]


def test_updates_come_every_five_seconds_with_all_that_was_seen() -> None:
    tracker = EpisodeTracker(MotionSettings())
    frames = [moving(t_ms, (t_ms / 20000, 0.4, t_ms / 20000 + 0.1, 0.6), ("gate",)) for t_ms in range(0, 12100, 100)]
    updates = [event for event in run(tracker, frames) if isinstance(event, EpisodeUpdated)]
    assert [update.last_ms for update in updates] == [5300, 10300]
    assert updates[1].zones == ("gate",)
    assert updates[1].box[0] == 0.0
    assert math.isclose(updates[1].box[2], 0.615)


def test_a_long_episode_is_split_without_a_gap() -> None:
    tracker = EpisodeTracker(MotionSettings(max_episode_s=10.0))
    events = run(tracker, stretch(0, 25_000) + silence(25_100, 29_000))
    ends = [event for event in events if isinstance(event, EpisodeEnded)]
    starts = [event for event in events if isinstance(event, EpisodeStarted)]
    assert [end.reason for end in ends] == ["split", "split", "quiet"]
    assert [start.start_ms for start in starts] == [0, 10_000, 20_000]
    assert [end.end_ms for end in ends] == [10_000, 20_000, 25_700]


def test_a_lost_camera_ends_the_episode_at_its_last_motion() -> None:
    tracker = EpisodeTracker(MotionSettings())
    run(tracker, stretch(0, 1000))
    (ended,) = tracker.lost(9000)
    assert isinstance(ended, EpisodeEnded)
    assert (ended.end_ms, ended.reason) == (1000, "lost")
    assert tracker.lost(9100) == ()


def test_a_lost_camera_without_an_episode_ends_nothing() -> None:
    tracker = EpisodeTracker(MotionSettings())
    assert tracker.lost(0) == ()
    run(tracker, stretch(0, 100))
    assert tracker.lost(200) == ()


def test_the_path_stays_short_and_keeps_both_ends() -> None:
    tracker = EpisodeTracker(MotionSettings())
    frames = [moving(t_ms, (t_ms / 1e5, 0.4, t_ms / 1e5, 0.6)) for t_ms in range(0, 60_000, 100)]
    run(tracker, frames)
    (ended,) = tracker.lost(60_000)
    assert isinstance(ended, EpisodeEnded)
    assert len(ended.path) <= PATH_POINTS
    assert ended.path[0] == (0, 0.0, 0.5)
    assert ended.path[-1][0] == 59_900
    assert list(ended.path) == sorted(ended.path)


def test_the_best_moment_is_the_largest_whole_view_and_is_told_once() -> None:
    tracker = EpisodeTracker(MotionSettings())
    boxes = {0: (0.0, 0.4, 0.1, 0.6), 100: (0.2, 0.3, 0.4, 0.8), 200: (0.2, 0.3, 0.4, 0.8), 300: (0.5, 0.4, 0.6, 0.5)}
    best = []
    for t_ms, box in boxes.items():
        tracker.step(moving(t_ms, box), t_ms)
        best.append(tracker.is_best_moment)
    assert best == [True, True, False, False]
    assert tracker.best_box == boxes[100]
    tracker.step(quiet(400), 400)
    assert not tracker.is_best_moment


def test_times_out_of_order_do_not_end_an_episode() -> None:
    tracker = EpisodeTracker(MotionSettings())
    events = run(tracker, [moving(t_ms) for t_ms in (0, 200, 100, 400, 300, 600, 500)])
    assert [type(event) for event in events] == [EpisodeStarted]


def test_times_that_start_over_end_the_episode() -> None:
    tracker = EpisodeTracker(MotionSettings())
    events = run(tracker, stretch(60_000, 62_000) + stretch(0, 1000))
    assert [type(event) for event in events] == [EpisodeStarted, EpisodeEnded, EpisodeStarted]


@pytest.mark.parametrize(("looked_ms", "end_ms"), [(6100, 6700), (6600, 6700), (8000, 7000)])
def test_who_left_while_nobody_looked_left_half_way_between_two_looks(looked_ms: int, end_ms: int) -> None:
    tracker = EpisodeTracker(MotionSettings())
    events = run(tracker, stretch(1000, 6000) + silence(looked_ms, 12_000))
    ended = events[-1]
    assert isinstance(ended, EpisodeEnded)
    assert ended.end_ms == end_ms


def test_an_episode_is_settled_a_while_after_it_was_told_and_each_split_anew() -> None:
    tracker = EpisodeTracker(MotionSettings(max_episode_s=10.0))
    settled = []
    for t_ms in range(0, 14_000, 400):
        tracker.step(moving(t_ms), t_ms)
        if tracker.settled:
            settled.append(t_ms)
    assert settled == [*range(3600, 10_000, 400), *range(13_200, 14_000, 400)]


def test_a_zone_that_somebody_comes_into_is_told_at_once_and_until_all_are_nothing_is_settled() -> None:
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    tracker = EpisodeTracker(MotionSettings(zones=(Zone("road", whole), Zone("gate", whole))))
    events = run(tracker, [moving(t_ms, zones=("road",)) for t_ms in range(0, 4500, 100)])
    assert not tracker.settled
    (at_the_gate,) = tracker.step(moving(4500, zones=("gate",)), 4500)
    assert isinstance(events[0], EpisodeStarted)
    assert isinstance(at_the_gate, EpisodeUpdated)
    assert at_the_gate.zones == ("road", "gate")
    assert tracker.settled
