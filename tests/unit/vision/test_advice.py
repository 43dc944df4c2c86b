"""What stirs in one place is told from who passes: only the former may be masked without a warning."""

import pytest

from edge_agent.vision.advice import stays
from edge_agent.vision.episodes import EpisodeEnded
from edge_agent.vision.observation import Box

Way = tuple[tuple[float, float], ...]


def _alarm(way: Way, size: tuple[float, float], box: Box) -> EpisodeEnded:
    (x, y), (wide, high) = way[0], size
    path = tuple((100.0 * number, *point) for number, point in enumerate(way))
    return EpisodeEnded(0.0, 3000.0, box, (x, y, x + wide, y + high), (), 1.0, path, "quiet")


@pytest.mark.parametrize(
    ("what", "way", "size", "box", "expected"),
    [
        ("a flag", ((0.8, 0.2), (0.83, 0.2), (0.8, 0.2), (0.83, 0.2)), (0.1, 0.1), (0.75, 0.1, 0.9, 0.3), True),
        ("a bough in one gust", ((0.8, 0.2), (0.82, 0.2)), (0.1, 0.1), (0.75, 0.1, 0.9, 0.3), True),
        ("a screen", ((0.8, 0.2),), (0.1, 0.1), (0.8, 0.2, 0.9, 0.3), True),
        ("who walks across", ((0.1, 0.5), (0.5, 0.5), (0.9, 0.5)), (0.1, 0.4), (0.1, 0.4, 0.9, 0.9), False),
        ("who crosses a gap", ((0.5, 0.5), (0.54, 0.5), (0.58, 0.5)), (0.04, 0.18), (0.48, 0.4, 0.6, 0.6), False),
        ("who comes a little nearer", ((0.5, 0.5), (0.5, 0.54)), (0.02, 0.03), (0.49, 0.48, 0.51, 0.56), False),
    ],
)  # fmt: skip
def test_who_goes_straight_on_farther_than_their_size_passes(
    what: str, way: Way, size: tuple[float, float], box: Box, expected: bool
) -> None:
    assert stays(_alarm(way, size, box)) is expected, what
