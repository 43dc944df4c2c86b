"""Rain, snow and insects stay quiet, and who walks through them is seen; a switched filter hides nobody who stands."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.weather import Weather
from tests.unit.vision.scenes import Scene, first_moving, look_at_empty, times_ms

CALM = np.full((22, 40), 255, np.uint8)


def drops(random: np.random.Generator, count: int) -> NDArray[np.uint8]:
    differs = np.zeros((180, 320), np.uint8)
    for x, y in zip(random.integers(0, 310, count), random.integers(0, 160, count), strict=True):
        differs[y : y + 14, x : x + 5] = 255
    return differs


def test_drops_are_weather_and_none_of_them_is_believed() -> None:
    weather, random = Weather((180, 320)), np.random.default_rng(1)
    for _ in range(20):
        believed = weather.see(drops(random, 12), CALM, 0.1)
    assert weather.bad == 1.0
    assert np.count_nonzero(believed) < 200


def test_what_walks_is_no_weather() -> None:
    weather = Weather((180, 320))
    for step in range(60):
        differs = np.zeros((180, 320), np.uint8)
        differs[60:140, 4 * step : 4 * step + 30] = 255
        believed = weather.see(differs, CALM, 0.1)
    assert weather.bad == 0.0
    assert np.array_equal(believed, differs)


def test_cars_between_two_frames_of_five_a_second_are_no_weather() -> None:
    weather = Weather((180, 320))
    for step in range(15):
        differs = np.zeros((180, 320), np.uint8)
        differs[60:110, (step % 3) * 100 : (step % 3) * 100 + 70] = 255
        weather.see(differs, CALM, 0.2)
    assert weather.bad == 0.0


def test_weather_is_over_soon_after_the_last_drop() -> None:
    weather, random = Weather((180, 320)), np.random.default_rng(2)
    for _ in range(50):
        weather.see(drops(random, 6), CALM, 0.1)
    for _ in range(250):
        weather.rest(0.1)
    assert weather.bad == 0.0


@pytest.mark.parametrize("fps", [10.0, 15.0])
def test_insects_before_the_lens_move_nothing(fps: float) -> None:
    scene, detector, random = Scene(), MotionDetector(MotionSettings()), np.random.default_rng(3)
    at, speed = random.uniform(0, 1, (3, 2)), random.normal(0, 0.7, (3, 2))
    moving = 0
    for t_ms in times_ms(20, fps):
        speed = speed * 0.9 + random.normal(0, 1.2, (3, 2)) * (1 / fps) ** 0.5
        at = (at + speed / fps) % 1.0
        picture = scene.empty()
        for x, y in at:
            scene.paint(picture, x * 310, y * 170, 9, 7, 190.0)
        moving += detector.look(scene.shoot(picture), t_ms).moving
    assert moving <= 2


def test_a_walker_in_snow_is_seen() -> None:
    scene, detector, random = Scene(), MotionDetector(MotionSettings()), np.random.default_rng(4)
    flakes = random.uniform(0, 1, (50, 2))
    observations = []
    for t_ms in times_ms(7, 10):
        picture = scene.empty()
        scene.paint(picture, (t_ms / 1000 - 5) * 40, 80, 16, 44, 20.0)
        flakes[:, 1] = (flakes[:, 1] + 0.05) % 1.0
        for x, y in flakes:
            picture[int(y * 178) : int(y * 178) + 3, int(x * 318) : int(x * 318) + 3] += 90
        observations.append(detector.look(scene.shoot(picture), t_ms))
    assert 5000 <= first_moving(observations).t_ms <= 6200


def test_who_stands_while_the_filter_switches_is_not_lost_and_leaves_no_ghost() -> None:
    day, night, detector = Scene(seed=1), Scene(seed=2), MotionDetector(MotionSettings())
    look_at_empty(detector, day)
    moving: dict[float, bool] = {}

    def walk(scene: Scene, seconds: float, start_s: float, x0: float, speed: float) -> None:
        for t_ms in times_ms(seconds, 10, start_s):
            picture = scene.empty()
            sway = np.sin(t_ms / 300.0)
            scene.paint(picture, x0 + speed * (t_ms / 1000 - start_s) + sway, 60, 30, 80, 20.0)
            moving[t_ms / 1000] = detector.look(scene.shoot(picture), t_ms).moving

    walk(day, 4.0, 3.0, -30.0, 40.0)
    walk(day, 3.0, 7.0, 130.0, 0.0)
    walk(night, 6.0, 10.0, 130.0, 0.0)
    walk(night, 5.0, 16.0, 130.0, 50.0)
    assert sum(seen for at_s, seen in moving.items() if 12.0 <= at_s < 16.0) >= 36
    for t_ms in times_ms(6.0, 10, 21.0):
        moving[t_ms / 1000] = detector.look(night.shoot(), t_ms).moving
    assert not any(seen for at_s, seen in moving.items() if at_s >= 23.0)


def test_a_filter_that_switches_back_finds_the_scene_as_it_was() -> None:
    day, night, detector = Scene(seed=1), Scene(seed=2), MotionDetector(MotionSettings())
    look_at_empty(detector, day, 5.0)
    for t_ms in times_ms(5.0, 10, 5.0):
        detector.look(night.shoot(), t_ms)
    observations = [detector.look(day.shoot(), t_ms) for t_ms in times_ms(1.0, 10, 10.0)]
    assert observations[0].global_change
    assert all(observation.ready for observation in observations[1:])
    assert not any(observation.moving for observation in observations)
