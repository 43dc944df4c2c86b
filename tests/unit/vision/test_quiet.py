"""Noise, light, weather and plants on synthetic scenes: all of it must leave the detector quiet."""

import numpy as np
import pytest

from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from tests.unit.vision.scenes import Scene, first_moving, look_at_empty, times_ms


@pytest.mark.parametrize("noise", [0.0, 1.0, 4.0, 9.0])
def test_sensor_noise_alone_moves_nothing(noise: float) -> None:
    scene, detector = Scene(noise=noise), MotionDetector(MotionSettings())
    assert not any(detector.look(scene.shoot(), t_ms).moving for t_ms in times_ms(9, 10))


@pytest.mark.parametrize("gain", [0.4, 0.7, 1.3, 1.8])
def test_a_jump_of_the_light_moves_nothing_and_a_walker_is_seen_two_seconds_later(gain: float) -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, seconds=4.0)
    assert not any(detector.look(scene.shoot(gain=gain), t_ms).moving for t_ms in times_ms(2.0, 10, 4.0))
    observations = []
    for t_ms in times_ms(3.0, 10, 6.0):
        picture = scene.empty()
        scene.paint(picture, (t_ms / 1000 - 6.0) * 40, 90, 12, 30, 20.0)
        observations.append(detector.look(scene.shoot(picture, gain), t_ms))
    assert first_moving(observations).t_ms <= 6700


def under_a_blown_out_sky(scene: Scene, seed: int = 7) -> np.ndarray:
    """The scene with a place whose tiles are all brighter than the picture can show."""
    picture = scene.empty()
    tiles = np.random.default_rng(seed).uniform(110, 260, (8, 14))
    picture[20:100, 130:270] += tiles.repeat(10, 0).repeat(10, 1)
    return picture


def light_falls(t_ms: float) -> float:
    """Gain: 1 up to the fourth second, then down to 0.55 in half a second."""
    return min(1.0, max(0.55, 1.0 - (t_ms - 4000) / 1000))


@pytest.mark.parametrize("white", [235, 255])
def test_what_was_blown_out_and_comes_to_light_is_no_thing(white: int) -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    picture = under_a_blown_out_sky(scene)
    for t_ms in times_ms(8, 10):
        frame = np.minimum(scene.shoot(picture, light_falls(t_ms)), np.uint8(white))
        assert not detector.look(frame, t_ms).moving
        assert not detector.mask().any()


def test_a_walker_is_seen_while_what_was_blown_out_comes_to_light() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    sky, moving = under_a_blown_out_sky(scene), 0
    for t_ms in times_ms(7, 10):
        picture = sky.copy()
        if t_ms >= 3500:
            scene.paint(picture, 100 + (t_ms / 1000 - 4) * 40, 30, 14, 40, 30.0)
        moving += detector.look(scene.shoot(picture, light_falls(t_ms)), t_ms).moving
    assert moving >= 30


def test_a_switched_infrared_filter_is_a_global_change_and_no_motion() -> None:
    day, night = Scene(seed=1), Scene(seed=2)
    detector = MotionDetector(MotionSettings())
    look_at_empty(detector, day)
    observations = [detector.look(night.shoot(), t_ms) for t_ms in times_ms(4.0, 10, 3.0)]
    assert observations[0].global_change
    assert not any(observation.moving for observation in observations)
    assert all(observation.ready for observation in observations[20:])


@pytest.mark.parametrize("blank", [16, 0, 128])
def test_a_picture_that_comes_after_blank_ones_is_another_scene(blank: int) -> None:
    """A stream that starts black (or green or grey, as decoders without a key frame have it), then a plain road."""
    random, detector = np.random.default_rng(3), MotionDetector(MotionSettings())
    road = np.full((180, 320), 105.0)
    road[84:96, 26:138] = road[40:50, 190:240] = 190.0
    road[150:] += 8.0
    seen = [detector.look(np.full(road.shape, blank, np.uint8), t_ms) for t_ms in times_ms(1.0, 25)]
    for t_ms in times_ms(4.0, 25, 1.0):
        shown, left = road.copy(), round((t_ms / 1000 - 2.5) * 80)
        if left > 0:
            shown[60:120, max(0, left - 30) : left] = np.tile([30.0, 60.0], 15)[-left:]
        noisy = shown + random.normal(0, 1.5, shown.shape)
        seen.append(detector.look(np.clip(noisy, 0, 255).astype(np.uint8), t_ms))
    found = first_moving(seen)
    assert 2500 < found.t_ms <= 2900
    assert found.since_ms is not None
    assert found.since_ms >= 2500


def test_a_slow_cloud_moves_nothing() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    for t_ms in times_ms(15, 10, 3.0):
        shadow = 1.0 - 0.4 / (1 + np.exp(-(np.arange(320) - (t_ms / 1000 - 3) * 40 + 100) / -25.0))
        picture = scene.empty() * shadow.astype(np.float32)
        assert not detector.look(scene.shoot(picture), t_ms).moving


def test_flicker_of_lamps_moves_nothing() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    for t_ms in times_ms(9, 10):
        gain = 1.0 + 0.15 * np.sin(2 * np.pi * 2.3 * t_ms / 1000)
        assert not detector.look(scene.shoot(gain=gain), t_ms).moving


def test_a_swaying_patch_moves_nothing() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    for t_ms in times_ms(16, 10):
        picture = scene.empty()
        scene.paint(picture, 200 + 3 * np.sin(2 * np.pi * 0.7 * t_ms / 1000), 20, 50, 60, 60.0)
        assert not detector.look(scene.shoot(picture), t_ms).moving, t_ms


def test_a_burnt_in_clock_moves_nothing() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    digits = np.random.default_rng(5).choice([20.0, 235.0], (10, 12, 8))
    for t_ms in times_ms(16, 10):
        picture = scene.empty()
        for place, unit_s in enumerate((60, 10, 1)):
            digit = digits[int(t_ms / 1000 / unit_s) % 10]
            picture[5:17, 10 + 10 * place : 18 + 10 * place] = digit
        assert not detector.look(scene.shoot(picture), t_ms).moving, t_ms


def test_rain_moves_nothing() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    random = np.random.default_rng(6)
    for t_ms in times_ms(10, 15):
        picture = scene.empty()
        for _ in range(80):
            x, y, length = random.integers(0, 319), random.integers(0, 160), random.integers(8, 20)
            picture[y : y + length, x : x + 1] += 50
        assert not detector.look(scene.shoot(picture), t_ms).moving, t_ms


def test_a_beam_with_a_sharp_rim_on_a_plain_wall_moves_nothing() -> None:
    scene, detector = Scene(noise=1.5), MotionDetector(MotionSettings())
    wall = np.tile(np.linspace(70, 110, 320, dtype=np.float32), (180, 1))
    for t_ms in times_ms(3, 10):
        detector.look(scene.shoot(wall), t_ms)
    for t_ms in times_ms(6, 10, 3.0):
        picture = wall.copy()
        left = int((t_ms / 1000 - 3.0) * 45)
        picture[40:100, left : left + 55] *= 1.6
        assert not detector.look(scene.shoot(picture), t_ms).moving, t_ms


@pytest.mark.parametrize("turn", [50, 65])
def test_an_insect_that_comes_up_before_the_lens_and_zigzags_moves_nothing(turn: int) -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    x, y = 130.0, 80.0
    for number, t_ms in enumerate(times_ms(2, 10, 3.0)):
        heading = np.radians(20 + turn * (-1) ** number)
        x, y = x + 9 * np.cos(heading), y + 9 * np.sin(heading)
        picture = scene.empty()
        scene.paint(picture, x, y, 13, 13, 220.0)
        assert not detector.look(scene.shoot(picture), t_ms).moving, t_ms
