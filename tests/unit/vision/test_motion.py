"""The detector on synthetic scenes; what it must find, where, and for how long."""

import numpy as np
import pytest

from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings, Zone
from tests.unit.vision.scenes import Picture, Scene, first_moving, look_at_empty, times_ms


def walk(
    detector: MotionDetector,
    scene: Scene,
    seconds: float = 3.0,
    fps: float = 10.0,
    start_s: float = 3.0,
    size: tuple[int, int] = (12, 30),
    speed: float = 40.0,
    y: float = 90.0,
    level: float = 30.0,
):
    """Someone walks in from the left; returns the observations."""
    observations = []
    for t_ms in times_ms(seconds, fps, start_s):
        picture = scene.empty()
        scene.paint(picture, (t_ms / 1000 - start_s) * speed - size[0] / 2, y, *size, level)
        observations.append(detector.look(scene.shoot(picture), t_ms))
    return observations


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0])
def test_a_walker_is_found_soon_at_any_frame_rate(fps: float) -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, fps=fps)
    seen = first_moving(walk(detector, scene, fps=fps))
    assert seen.t_ms - 3000 <= 300 + 2 * 1000 / fps
    assert seen.since_ms is not None
    assert seen.since_ms - 3000 <= 200 + 1000 / fps
    x0, y0, x1, y1 = seen.regions[0].box
    assert x0 < 0.05
    assert x1 < 0.25
    assert 0.4 < y0 < y1 < 0.75


@pytest.mark.parametrize(("size", "speed"), [((5, 12), 10.0), ((60, 150), 120.0)])
def test_small_distant_and_large_near_things_are_found(size: tuple[int, int], speed: float) -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    observations = walk(detector, scene, seconds=4.0, size=size, speed=speed, y=25.0)
    assert sum(observation.moving for observation in observations) >= 0.25 * len(observations)


def test_the_box_and_the_mask_follow_the_walker() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    walk(detector, scene)
    mask = detector.mask()
    assert mask.shape == (180, 320)
    assert set(np.unique(mask)) <= {0, 255}
    rows, columns = np.nonzero(mask)
    assert 105 < columns.mean() < 125
    assert 85 < rows.mean() < 125


def test_it_is_ready_within_two_seconds() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    readiness = [detector.look(scene.shoot(), t_ms).ready for t_ms in times_ms(2.0, 5)]
    assert not readiness[0]
    assert readiness[-1]


def test_who_stops_and_stirs_stays_seen_and_leaves_no_ghost() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    stood, after = [], []
    for t_ms in times_ms(30, 10, 3.0):
        second = t_ms / 1000 - 3
        x = min(150.0, second * 60) if second < 22 else 150 + (second - 22) * 60
        picture = scene.empty()
        sway = np.sin(second * 1.7) * 1.5 if 2.5 < second < 22 else 0.0
        scene.paint(picture, x, 60, 22, 35, 30.0)
        scene.paint(picture, x + sway, 95, 22, 35, 200.0)
        observation = detector.look(scene.shoot(picture), t_ms)
        if second < 24:
            stood.append(observation.moving)
        elif second > 26:
            after.append(observation.moving)
    assert sum(stood) >= 0.9 * len(stood)
    assert not any(after)


def test_who_walks_on_while_no_picture_comes_and_then_stands_is_still_the_same() -> None:
    scene, detector, random = Scene(seed=4), MotionDetector(MotionSettings()), np.random.default_rng(4)
    look_at_empty(detector, scene)
    seen = []
    for t_ms in times_ms(9.0, 10, 3.0):
        if 4000 < t_ms < 5000:
            continue
        picture, at_s = scene.empty(), t_ms / 1000 - 3.0
        sway = random.integers(-1, 2)
        scene.paint(picture, -10 + 45 * min(at_s, 2.0) + sway, 100, 24, 80, 30.0)  # cut off by the lower edge
        seen.append(detector.look(scene.shoot(picture), t_ms))
    standing = [observation.moving for observation in seen if observation.t_ms >= 5100]
    assert sum(standing) >= 0.9 * len(standing)


def test_what_was_there_from_the_start_and_leaves_makes_no_lasting_ghost() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    late = []
    for t_ms in times_ms(16, 10):
        second = t_ms / 1000
        picture = scene.empty()
        scene.paint(picture, 150 + max(0.0, second - 5) * 60, 60, 22, 60, 30.0)
        observation = detector.look(scene.shoot(picture), t_ms)
        if second > 11:
            late.append(observation.moving)
    assert not any(late)


def visitor(since_s: float, stands_s: float, goal: float = 150.0, speed: float = 60.0) -> float | None:
    """Where somebody is who walks in from the left, stands and goes on; None where they are not in the picture."""
    walks_s = (goal + 20) / speed
    if since_s < 0:
        return None
    x = min(goal, since_s * speed - 20) + max(0.0, since_s - walks_s - stands_s) * speed
    return x if x < 320 else None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_somebody_stood_for_long_the_next_to_stand_there_is_seen(seed: int) -> None:
    scene, detector, seen = Scene(seed=seed), MotionDetector(MotionSettings()), []
    for t_ms in times_ms(40, 10):
        picture = scene.empty()
        first, second = visitor(t_ms / 1000 - 3, 20.0), visitor(t_ms / 1000 - 30, 2.0)
        if first is not None:
            scene.paint(picture, first, 70, 10, 26, 30.0)
        if second is not None:
            scene.paint(picture, second - 1, 73, 12, 24, 55.0)
        observation = detector.look(scene.shoot(picture), t_ms)
        if second is not None and 110 < second < 190:
            seen.append(observation.moving)
    assert all(seen)


def test_nothing_is_seen_inside_a_mask() -> None:
    left_half = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
    scene, detector = Scene(), MotionDetector(MotionSettings(masks=(left_half,)))
    look_at_empty(detector, scene)
    observations = walk(detector, scene, seconds=6.0)
    for observation in observations:
        assert not observation.moving or observation.t_ms > 3000 + 180 / 40 * 1000
    assert any(observation.moving for observation in observations)
    assert not detector.mask()[:, :185].any()


def test_regions_name_their_zones_and_what_is_in_none_does_not_count() -> None:
    gate = Zone("gate", ((0.0, 0.4), (0.2, 0.4), (0.2, 1.0), (0.0, 1.0)))
    yard = Zone("yard", ((0.5, 0.4), (1.0, 0.4), (1.0, 1.0), (0.5, 1.0)))
    scene, detector = Scene(), MotionDetector(MotionSettings(zones=(gate, yard)))
    look_at_empty(detector, scene)
    places = {}
    for observation in walk(detector, scene, seconds=7.0):
        x = (observation.t_ms / 1000 - 3) * 40
        places[round(x)] = {zone for region in observation.regions for zone in region.zones}
        assert observation.moving == bool(observation.regions)
    assert places[40] == {"gate"}
    assert places[120] == set()
    assert places[220] == {"yard"}


def test_another_picture_size_is_learned_anew() -> None:
    small, large = Scene(320, 180), Scene(640, 352)
    detector = MotionDetector(MotionSettings())
    look_at_empty(detector, small)
    observations = [detector.look(large.shoot(), t_ms) for t_ms in times_ms(2.0, 10, 3.0)]
    assert not observations[0].ready
    assert observations[-1].ready
    assert not any(observation.moving for observation in observations)
    assert detector.mask().shape == (352, 640)


@pytest.mark.parametrize("shape", [(9, 11), (241, 323), (576, 480), (64, 1500)])
def test_odd_sizes_are_looked_at(shape: tuple[int, int]) -> None:
    detector = MotionDetector(MotionSettings())
    random = np.random.default_rng(3)
    for t_ms in times_ms(2.0, 10):
        assert not detector.look(random.integers(90, 100, shape, np.uint8), t_ms).moving
    assert detector.mask().shape == shape


@pytest.mark.parametrize(
    "picture", [np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.float32), np.zeros((4, 20), np.uint8)]
)
def test_what_is_no_luma_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="luma must be a 2-D uint8 picture of at least 8x8"):
        MotionDetector(MotionSettings()).look(picture, 0.0)


def test_times_that_stand_still_or_step_back_do_no_harm() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    for t_ms in (0.0, 0.0, 100.0, 50.0, 200.0, 200.0, 90_000.0, 100.0, 200.0):
        assert not detector.look(scene.shoot(), t_ms).moving


def test_pictures_of_the_same_moment_are_told_apart() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    *_, last = walk(detector, scene)
    assert last.moving
    for t_ms in (last.t_ms, last.t_ms, last.t_ms - 100.0, last.t_ms + 1.0):
        detector.look(scene.shoot(scene.empty()), t_ms)
    assert not detector.mask().any()


def test_who_rides_in_over_the_edge_is_found_at_once() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    seen = [detector.look(ridden(scene, -30 + (t_ms / 1000 - 3.0) * 160), t_ms) for t_ms in times_ms(2, 10, 3.0)]
    assert first_moving(seen).t_ms <= 3400


def test_who_rides_in_just_after_a_calm_start_is_found_as_soon_as_later() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, seconds=2.0, fps=25.0)
    seen = [detector.look(ridden(scene, -30 + (t_ms / 1000 - 2.0) * 160), t_ms) for t_ms in times_ms(2, 25, 2.0)]
    assert first_moving(seen).t_ms <= 2280


def test_who_rides_out_from_behind_a_wall_is_found_before_leaving() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    seen = []
    for t_ms in times_ms(1.2, 10, 3.0):
        picture = ridden(scene, 90 + (t_ms / 1000 - 3.0) * 150)
        picture[:, :120] = scene.shoot()[:, :120]
        seen.append(detector.look(picture, t_ms))
    assert first_moving(seen).t_ms <= 3800


def test_who_rides_in_so_quickly_that_the_first_picture_shows_them_inside_is_found_at_once() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, fps=12.0)
    seen = [detector.look(ridden(scene, 8 + (t_ms / 1000 - 3.0) * 220), t_ms) for t_ms in times_ms(1.2, 12, 3.0)]
    assert first_moving(seen).t_ms <= 3350


def test_who_comes_straight_towards_the_camera_is_found_soon_and_not_lost() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene, fps=12.0)
    seen = []
    for t_ms in times_ms(6.0, 12, 3.0):
        picture, at_s = scene.empty(), t_ms / 1000 - 3.0
        height = 20 * 6.0 ** (at_s / 6)
        scene.paint(picture, 160 - 0.2 * height, 50, round(0.4 * height), round(height), 25.0)  # heads at one height
        seen.append(detector.look(scene.shoot(picture), t_ms))
    found = first_moving(seen)
    assert found.t_ms <= 4600
    since = [observation.moving for observation in seen if observation.t_ms >= found.t_ms]
    assert sum(since) >= 0.8 * len(since)


def ridden(scene: Scene, x: float) -> Picture:
    """The scene with a motorbike whose tail is at `x`."""
    picture = scene.empty()
    scene.paint(picture, x, 100, 30, 22, 20.0)
    return scene.shoot(picture)


def test_a_plain_van_before_a_textured_street_is_found() -> None:
    scene, detector = Scene(), MotionDetector(MotionSettings())
    look_at_empty(detector, scene)
    seen = []
    for t_ms in times_ms(3, 10, 3.0):
        picture, left = scene.empty(), max(0, int((t_ms / 1000 - 3.0) * 80))
        picture[70:120, left : left + 90] = 215.0
        seen.append(detector.look(scene.shoot(picture), t_ms))
    assert first_moving(seen).t_ms <= 3500
