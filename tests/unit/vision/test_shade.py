"""Shadows of clouds move nothing and hide nobody; what is no light is not taken for it."""

import cv2
import numpy as np
import pytest

from edge_agent.vision import shade
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from tests.unit.vision.scenes import Picture, Scene, look_at_empty, times_ms

SEEN = np.ones((22, 40), bool)


def sky(seed: int, rim: float) -> np.ndarray:
    """(180, 960) float32 light: a picture's width of sun, then clouds with rims so many pixels wide, half as bright."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.uniform(-1, 1, (4, 16)).astype(np.float32), (640, 180), interpolation=cv2.INTER_CUBIC)
    clouds = np.concatenate([np.zeros((180, 320), np.float32), (coarse > 0).astype(np.float32)], axis=1)
    return 1.0 - 0.5 * cv2.GaussianBlur(clouds, (0, 0), rim / 2.5)


def under_clouds(seed: int, rim: float, speed: float, comes_s: float) -> list[bool]:
    """Whether something moved in each frame of 6 s after the clouds came; who comes in then takes 6 s to cross."""
    scene, light, detector = Scene(seed=seed), sky(seed, rim), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    moved = []
    for t_ms in times_ms(comes_s + 6.0, 10, 3.0):
        at_s = t_ms / 1000 - 3.0
        picture = scene.empty()
        scene.paint(picture, (at_s - comes_s) * 55.0 - 18, 80, 18, 50, 60.0)
        shadow = light[:, round(at_s * speed) :][:, :320]
        moved.append(detector.look(scene.shoot(picture * shadow), t_ms).moving)
    return moved


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("rim", "speed"), [(16.0, 60.0), (60.0, 60.0), (60.0, 25.0)])
def test_who_walks_under_clouds_is_seen(seed: int, rim: float, speed: float) -> None:
    moved = under_clouds(seed, rim, speed, 4.5)
    assert sum(moved[45:]) >= 45
    assert rim < 60.0 or not any(moved[:45])


def shaded(body: bool) -> tuple[Picture, Picture, np.ndarray]:
    """(now, was, light): the right of the scene in a shadow with a soft rim, with or without a body in it."""
    scene = Scene(noise=0.0)
    picture = scene.empty()
    light = (1.0 - 0.4 / (1.0 + np.exp((160.0 - np.arange(320)) / 8.0)))[None].repeat(180, 0)
    if body:
        scene.paint(picture, 240, 60, 24, 60, 40.0)
    return scene.shoot(picture * light), scene.shoot(), light


def test_a_shadow_is_taken_out_and_a_body_in_it_is_left() -> None:
    for body in (False, True):
        now, was, light = shaded(body)
        logs = shade.logs(now, was, 2.0, SEEN, (), shade.BEGINS)
        assert logs is not None
        np.testing.assert_allclose(logs, np.log(cv2.resize(light, (40, 22))), atol=0.08)
        left = cv2.absdiff(shade.evened(now, was, logs), was)
        assert (left[64:116, 244:260].mean() > 20) == body
        left[56:124, 236:268] = 0
        assert left.max() <= 8


def test_the_same_light_and_a_body_alone_are_no_shadow() -> None:
    scene = Scene()
    picture = scene.empty()
    scene.paint(picture, 60, 20, 120, 150, 220.0)
    for now in (scene.shoot(), scene.shoot(picture)):
        assert shade.logs(now, scene.shoot(), 2.0, SEEN, (), shade.BEGINS) is None


def test_where_a_thing_was_seen_the_light_is_taken_from_around_unless_it_has_no_outline() -> None:
    was = np.full((180, 320), 120, np.uint8)
    ramp = 1.0 - 0.4 / (1.0 + np.exp((100.0 - np.arange(320)) / 8.0))
    now = (was * ramp).astype(np.uint8)
    thing = (200, 40, 260, 160)
    now[40:160, 200:260] = 150
    now[90:130, 180:240] = np.linspace(now[100, 150], 150, 60).astype(np.uint8)  # one side of it fades out
    without, known = (shade.logs(now, was, 2.0, SEEN, boxes, shade.BEGINS) for boxes in ((), (thing,)))
    assert without is not None
    assert known is not None
    assert without[12, 28] > 0.1
    assert known[12, 28] < -0.4
    light = (was * ramp).astype(np.uint8)
    plain, box = (shade.logs(light, was, 2.0, SEEN, boxes, shade.BEGINS) for boxes in ((), (thing,)))
    assert plain is not None
    assert box is not None
    np.testing.assert_array_equal(plain, box)


@pytest.mark.parametrize("shape", [(8, 8), (16, 30), (21, 37), (187, 317)])
def test_small_and_uneven_sizes_are_evened_or_left(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(4)
    was = random.integers(60, 160, shape).astype(np.uint8)
    now = (was * np.linspace(0.5, 1.0, shape[1])[None]).astype(np.uint8)
    seen = np.ones((max(1, shape[0] // 8), max(1, shape[1] // 8)), bool)
    logs = shade.logs(now, was, 1.0, seen, (), shade.BEGINS)
    assert (logs is None) == (min(seen.shape) < 3)
    if logs is not None:
        assert cv2.absdiff(shade.evened(now, was, logs), was).max() <= 12
