"""A recording played to and fro, with its labels."""

import numpy as np
import pytest

from benchmarks.detection.passes import SETTLES_S, labels_to_and_fro, to_and_fro
from benchmarks.detection.videos import Event, Labels

PICTURES = [np.full((8, 8), level, np.uint8) for level in range(4)]
GIVEN = [(0.0, PICTURES[0]), (0.1, PICTURES[1]), (0.3, PICTURES[2]), (1.0, PICTURES[3])]


def test_frames_go_to_and_fro_at_their_own_steps_and_none_is_shown_twice_running() -> None:
    played = [(round(at_s, 6), int(picture[0, 0])) for at_s, picture in to_and_fro(GIVEN, 3)]
    assert played == [
        *((0.0, 0), (0.1, 1), (0.3, 2), (1.0, 3)),
        *((1.7, 2), (1.9, 1), (2.0, 0)),
        *((2.1, 1), (2.3, 2), (3.0, 3)),
    ]


def test_labels_are_mirrored_and_quiet_begins_once_the_scene_has_settled() -> None:
    labels = Labels((Event(4.0, 6.0, False),), ((0.0, 3.7), (7.2, 10.0)), ((6.0, 7.2),), 0.4)
    played = labels_to_and_fro(labels, 10.0, 2)
    assert played.events == (Event(4.0, 6.0, False), Event(14.0, 16.0, False, backwards=True))
    assert played.unsure == ((6.0, 7.2), (pytest.approx(12.8), 14.0))
    assert played.quiet == ((0.0, 3.7), (7.2, 10.0), (16.0 + SETTLES_S, 20.0), (10.0, pytest.approx(12.8)))


def test_one_pass_leaves_the_labels_as_they_are() -> None:
    labels = Labels((Event(4.0, 6.0, True),), ((0.0, 3.7),), (), 0.4)
    assert labels_to_and_fro(labels, 10.0, 1) == labels
