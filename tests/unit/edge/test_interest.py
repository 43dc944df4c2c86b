"""What the reader is told of a look: how closely what moves has to be watched."""

import pytest

from edge_agent.lookout import interest
from edge_agent.vision.episodes import Episodes
from edge_agent.vision.observation import Observation, Region
from edge_agent.vision.settings import MotionSettings


def somebody(x: float, pace: float = 0.0) -> Region:
    return Region((x - 0.05, 0.4, x + 0.05, 0.7), 0.03, 0.8, velocity=(pace, 0.0))


def seen(t_ms: float, *regions: Region) -> Observation:
    return Observation(t_ms, bool(regions), regions, 0.8)


def told(seconds: float, end_after_s: float = 3.0) -> Episodes:
    """Episodes while somebody has been there for so long."""
    episodes = Episodes(MotionSettings(end_after_s=end_after_s))
    for t_ms in range(0, round(seconds * 1000), 100):
        episodes.step(seen(t_ms, somebody(0.5)), t_ms)
    return episodes


def test_what_was_not_told_yet_needs_watching() -> None:
    assert interest(seen(0, somebody(0.5)), told(0.0)) == "some"


def test_what_was_just_told_is_known_and_settled_after_a_while() -> None:
    assert interest(seen(1000, somebody(0.5)), told(1.0)) == "known"
    assert interest(seen(4000, somebody(0.5)), told(4.0)) == "settled"


@pytest.mark.parametrize(("x", "pace", "found"), [(0.9, 0.15, "known"), (0.9, 0.02, "settled"), (0.1, 0.5, "settled")])
def test_who_is_about_to_leave_is_watched_until_they_have(x: float, pace: float, found: str) -> None:
    assert interest(seen(4000, somebody(x, pace)), told(4.0)) == found


def test_an_episode_that_would_end_before_the_next_key_frame_is_never_settled() -> None:
    hasty = told(4.0, end_after_s=2.0)
    assert interest(seen(4000, somebody(0.5)), hasty) == "known"


def test_what_stirs_in_a_demoted_place_is_watched_for_who_comes_into_it() -> None:
    observation = Observation(4000, True, (somebody(0.5),), 0.8, demoted=(somebody(0.2),))
    assert interest(observation, told(4.0)) == "known"
