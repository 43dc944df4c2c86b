"""Whether one picture, out of its turn, shows anything; what is asked so is not learned."""

import numpy as np
import pytest

from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from tests.unit.vision.scenes import Scene, look_at_empty, times_ms


def watched(seed_s: float = 3.0) -> tuple[Scene, MotionDetector]:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, seconds=seed_s)
    return scene, detector


def test_what_was_not_watched_yet_may_be_anything() -> None:
    scene = Scene()
    assert MotionDetector(MotionSettings()).stands_out(scene.shoot())


def test_an_empty_scene_shows_nothing_in_another_light_either() -> None:
    scene, detector = watched()
    assert not detector.stands_out(scene.shoot())
    darker = np.clip(scene.shoot().astype(np.float32) * 0.8, 0, 255).astype(np.uint8)
    assert not detector.stands_out(darker)


@pytest.mark.parametrize("size", [(4, 8), (12, 30), (120, 120)])
def test_somebody_shows_also_half_over_the_edge(size: tuple[int, int]) -> None:
    scene, detector = watched()
    picture = scene.empty()
    scene.paint(picture, -size[0] / 2, 60.0, *size, 30.0)
    assert detector.stands_out(scene.shoot(picture))


def test_a_picture_of_another_size_or_another_scene_shows_something() -> None:
    scene, detector = watched()
    assert detector.stands_out(scene.shoot()[:100])
    assert detector.stands_out(255 - scene.shoot())


def test_nothing_is_learned_from_being_asked() -> None:
    asked, untouched = watched(), watched()
    for scene, detector in (asked, untouched):
        observations = []
        for t_ms in times_ms(4.0, 10, 3.0):
            picture = scene.empty()
            scene.paint(picture, (t_ms / 1000 - 3.0) * 40 - 6, 90.0, 12, 30, 30.0)
            shot = scene.shoot(picture)
            if detector is asked[1]:
                assert detector.stands_out(255 - shot)
            observations.append(detector.look(shot, t_ms))
        if detector is asked[1]:
            told = observations
    assert told == observations
