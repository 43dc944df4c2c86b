"""What stirs in one place for long is recorded and not told; what goes a way of its own is told as ever."""

import math
from collections.abc import Callable, Iterable, Iterator

import pytest

from edge_agent.vision.demotion import Demotion
from edge_agent.vision.episodes import DEMOTED, MOTION, EpisodeEnded, EpisodeEvent, Episodes, EpisodeStarted
from edge_agent.vision.observation import Box, Observation, Region
from edge_agent.vision.settings import MotionSettings

STEP_MS = 200.0
MINUTE = 60.0
FLAG, WALKER, CROWD = 1, 2, 3


def box_at(x: float, y: float, wide: float = 0.06, high: float = 0.12) -> Box:
    return (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)


def thing(number: int, box: Box) -> Region:
    return Region(box, (box[2] - box[0]) * (box[3] - box[1]), 0.8, thing=number)


def flag(t_s: float, sway: float = 0.02) -> Region:
    return thing(FLAG, box_at(0.2 + sway * math.sin(4 * t_s), 0.3))


def seen(t_s: float, *regions: Region) -> Observation:
    return Observation(t_s * 1000, bool(regions), regions, 0.8 if regions else 0.0)


class Watch:
    """One camera's demotion and episodes, fed with what moves."""

    def __init__(self) -> None:
        self.demotion, self.episodes = Demotion(), Episodes(MotionSettings())
        self.t_s = 0.0

    def see(self, moments: Iterable[tuple[Region, ...]]) -> list[EpisodeEvent]:
        events: list[EpisodeEvent] = []
        for regions in moments:
            self.t_s += STEP_MS / 1000
            observation = self.demotion.see(seen(self.t_s, *regions))
            events += self.episodes.step(observation, observation.t_ms)
        return events

    def flagging(self, seconds: float, sway: float = 0.02) -> list[EpisodeEvent]:
        begin_s = self.t_s
        return self.see((flag(begin_s + n * STEP_MS / 1000, sway),) for n in range(round(seconds * 1000 / STEP_MS)))

    def calm(self, seconds: float) -> list[EpisodeEvent]:
        return self.see(() for _ in range(round(seconds * 1000 / STEP_MS)))


@pytest.fixture
def watch() -> Watch:
    return Watch()


def kinds(events: list[EpisodeEvent]) -> list[str]:
    return [event.kind for event in events if isinstance(event, EpisodeStarted)]


def walk(from_x: float, to_x: float, seconds: float, y: float = 0.3, number: int = WALKER) -> Iterator[Region]:
    steps = round(seconds * 1000 / STEP_MS)
    return (thing(number, box_at(from_x + (to_x - from_x) * n / steps, y)) for n in range(steps))


def test_a_flag_alerts_at_first_and_is_recorded_without_an_alert_after_long(watch: Watch) -> None:
    first = watch.flagging(5 * MINUTE)
    assert kinds(first) == [MOTION] * 3  # split every two minutes
    assert watch.demotion.places == ()
    watch.flagging(6 * MINUTE)
    (place,) = watch.demotion.places
    assert 7 * MINUTE <= place.since_ms / 1000 <= 10 * MINUTE
    x0, y0, x1, y1 = place.box
    assert x0 < 0.2 < x1
    assert y0 < 0.3 < y1
    assert (x1 - x0) * (y1 - y0) < 0.1
    later = watch.flagging(5 * MINUTE)
    assert set(kinds(later)) == {DEMOTED}
    assert all(event.kind == DEMOTED for event in later)


def test_a_flag_that_stirs_for_a_moment_each_minute_is_demoted_too(watch: Watch) -> None:
    for _ in range(12):
        watch.flagging(5)
        watch.calm(MINUTE - 5)
    assert len(watch.demotion.places) == 1
    assert kinds(watch.flagging(5)) == [DEMOTED]


def test_a_place_that_is_calm_for_ten_minutes_alerts_again(watch: Watch) -> None:
    watch.flagging(12 * MINUTE)
    watch.calm(8 * MINUTE)
    assert watch.demotion.places
    watch.calm(4 * MINUTE)
    assert watch.demotion.places == ()
    assert kinds(watch.flagging(10)) == [MOTION]


def test_who_crosses_a_demoted_place_alerts_and_ends_the_episode_that_was_not_told(watch: Watch) -> None:
    watch.flagging(12 * MINUTE)
    begin_s = watch.t_s
    events = watch.see((flag(begin_s + n * 0.2), walker) for n, walker in enumerate(walk(0.95, 0.02, 8)))
    ended, started = events[0], events[1]
    assert isinstance(ended, EpisodeEnded)
    assert (ended.kind, ended.reason) == (DEMOTED, "split")
    assert isinstance(started, EpisodeStarted)
    assert started.kind == MOTION
    assert started.start_ms - begin_s * 1000 <= 600
    assert started.box[0] > 0.5  # of the walker, not of the flag
    told = [event for event in events if isinstance(event, EpisodeEnded)][1:]
    assert not told  # still told when inside the place, although it is demoted
    after = watch.flagging(20)
    assert isinstance(after[0], EpisodeEnded)
    assert after[0].kind == MOTION
    assert kinds(after) == [DEMOTED]


def test_who_comes_out_of_a_demoted_place_alerts(watch: Watch) -> None:
    watch.flagging(12 * MINUTE)
    begin_s = watch.t_s
    events = watch.see((flag(begin_s + n * 0.2), walker) for n, walker in enumerate(walk(0.2, 0.6, 6)))
    assert MOTION in kinds(events)


def test_what_is_far_larger_than_what_stirs_in_a_demoted_place_alerts(watch: Watch) -> None:
    watch.flagging(12 * MINUTE)
    large = thing(CROWD, box_at(0.2, 0.3, 0.14, 0.24))
    assert MOTION in kinds(watch.see((large,) for _ in range(5)))


def test_what_swings_far_to_and_fro_is_demoted_and_stays_so(watch: Watch) -> None:
    watch.flagging(12 * MINUTE, sway=0.15)
    assert len(watch.demotion.places) == 1
    assert set(kinds(watch.flagging(5 * MINUTE, sway=0.15))) <= {DEMOTED}


def test_who_passes_makes_no_place_demoted_however_many_pass(watch: Watch) -> None:
    for number in range(60):
        watch.see((walker,) for walker in walk(0.0, 1.0, 8, number=100 + number))
        watch.calm(4)
    assert watch.demotion.places == ()


def test_a_whole_camera_is_never_demoted(watch: Watch) -> None:
    def everywhere(t_s: float) -> tuple[Region, ...]:
        sway = 0.02 * math.sin(4 * t_s)
        return tuple(
            thing(10 + 5 * row + column, box_at(0.1 + 0.2 * column + sway, 0.1 + 0.2 * row, 0.2, 0.2))
            for row in range(5)
            for column in range(5)
        )

    events = watch.see(everywhere(n * 0.2) for n in range(15 * 300))
    assert watch.demotion.places == ()
    assert set(kinds(events)) == {MOTION}


def test_time_that_nobody_watched_is_no_calm(watch: Watch) -> None:
    watch.flagging(12 * MINUTE)
    watch.t_s += 3600
    watch.calm(30)
    assert watch.demotion.places


def test_a_long_watch_keeps_little(watch: Watch) -> None:
    for number in range(500):
        watch.see([(thing(1000 + number, box_at(0.5, 0.5)),)] * 2)
    assert len(watch.demotion._ways) <= 64


def looked_away(watch: Watch, region: Callable[[float], Region], seconds: float) -> None:
    """Looked at for half a second of each two."""
    for _ in range(round(seconds / 2)):
        watch.see((region(watch.t_s),) for _ in range(3))
        watch.t_s += 1.4


def test_people_who_are_only_looked_at_now_and_then_demote_no_place(watch: Watch) -> None:
    looked_away(watch, lambda t_s: thing(10 + int(t_s / 2), box_at(0.2 + 0.05 * (t_s % 12), 0.3)), 15 * MINUTE)
    assert watch.demotion.places == ()


def test_people_who_are_taken_for_each_other_meanwhile_demote_no_place(watch: Watch) -> None:
    def crowd(t_s: float) -> Region:
        return thing(CROWD, box_at(0.3 + 0.25 * math.sin(2.1 * int(t_s / 2)), 0.3))

    looked_away(watch, crowd, 15 * MINUTE)
    assert watch.demotion.places == ()


def test_a_flag_that_is_only_looked_at_now_and_then_is_demoted_all_the_same(watch: Watch) -> None:
    looked_away(watch, flag, 12 * MINUTE)
    assert len(watch.demotion.places) == 1


def test_cars_that_pass_close_by_demote_no_place_though_each_is_seen_only_for_a_moment(watch: Watch) -> None:
    for number in range(60):
        wide = 0.42
        steps = (thing(10 + number, box_at(0.5 + 0.1 * n, 0.7, wide, 0.4)) for n in range(4))
        watch.see((region,) for region in steps)
        watch.calm(14)
    assert watch.demotion.places == ()
