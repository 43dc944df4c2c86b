"""What a camera's health says when things are done to the camera, and when only weather, light and traffic are."""

import cv2
import numpy as np
import pytest

from benchmarks.tamper.encoder import at_fixed_bitrate
from edge_agent.vision.tamper import PictureHealth, TamperEnded, TamperStarted

HEIGHT, WIDTH, FPS = 180, 320, 10


def _street() -> np.ndarray:
    """Houses, doors and windows: contours of every direction."""
    random = np.random.default_rng(3)
    picture = np.full((HEIGHT, WIDTH), 110, np.uint8)
    for _ in range(60):
        x, y = int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT))
        size = int(random.integers(8, 50)), int(random.integers(8, 40))
        cv2.rectangle(picture, (x, y), (x + size[0], y + size[1]), int(random.integers(40, 200)), -1)
        cv2.line(picture, (x, y), (y, x), int(random.integers(40, 200)), 2)
    return picture


STREET = _street()


class Watch:
    def __init__(self) -> None:
        self.health = PictureHealth()
        self.now_ms = 0.0
        self.random = np.random.default_rng(4)

    def noisy(self, picture, noise=2.0):
        return np.clip(picture + self.random.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)

    def see(self, seconds, make=lambda _s: STREET, noise=2.0, fps=FPS):
        told = []
        for number in range(round(seconds * fps)):
            self.now_ms += 1000 / fps
            picture = make(number / fps)
            event = self.health.look(self.noisy(picture, noise) if noise else picture, self.now_ms)
            if event is not None:
                told.append(event)
        return told


@pytest.fixture
def watch():
    made = Watch()
    assert made.see(10) == []
    return made


DEEDS = {
    "covered": lambda _s: np.full_like(STREET, 60),
    "turned": lambda _s: np.ascontiguousarray(np.roll(STREET, 90, 1)[::-1]),
    "defocused": lambda _s: cv2.GaussianBlur(STREET, (0, 0), 4),
    "black": lambda _s: np.full_like(STREET, 5),
    "white": lambda _s: np.full_like(STREET, 250),
}


@pytest.mark.parametrize("kind", DEEDS)
def test_what_is_done_to_a_camera_is_told_within_five_seconds_and_ends_when_it_is_undone(watch, kind):
    done_ms = watch.now_ms
    (started,) = watch.see(5, DEEDS[kind])
    assert isinstance(started, TamperStarted)
    assert started.kind == kind
    assert done_ms <= started.since_ms <= done_ms + 1000
    undone_ms = watch.now_ms
    (ended,) = watch.see(5)
    assert isinstance(ended, TamperEnded)
    assert (ended.kind, ended.why) == (kind, "seen")
    assert undone_ms <= ended.end_ms <= undone_ms + 1500


@pytest.mark.parametrize("every_s", [1.0, 2.0])
def test_key_frames_alone_are_enough_to_tell_a_covered_camera(every_s):
    watch = Watch()
    assert watch.see(40, fps=1 / every_s) == []
    (started,) = watch.see(8, DEEDS["covered"], fps=1 / every_s)
    assert started.kind == "covered"


def _bus(seconds):
    """It stops close by: three quarters of the picture, with windows."""
    picture = STREET.copy()
    left = max(30, 320 - round(200 * seconds))
    picture[20:160, left:310] = 150
    for x in range(left + 10, 300, 40):
        picture[40:80, x : x + 25] = 60
    return picture


def _infrared(_seconds):
    lamp = np.exp(-(np.linspace(-1, 1, WIDTH)[None] ** 2) - np.linspace(-1, 1, HEIGHT)[:, None] ** 2)
    return np.clip((60 + 0.6 * np.abs(STREET.astype(float) - 90)) * lamp, 0, 255)


@pytest.mark.parametrize(
    "make",
    [
        _bus,
        _infrared,
        lambda s: STREET * (0.4 if int(s / 4) % 2 else 1.2),
        lambda s: np.roll(STREET, round(1.5 * np.sin(5 * s)), 1),
        lambda s: STREET if s > 1.5 else np.full_like(STREET, 6),
        lambda s: STREET if s > 1.5 else np.full_like(STREET, 252),
    ],
    ids=["a bus stops", "infrared", "exposure", "a pole in the wind", "the filter switches", "a headlight"],
)
def test_traffic_light_and_wind_are_nobodys_deed(watch, make):
    assert watch.see(20, make) == []


def test_a_sensors_noise_in_the_dark_is_not_frozen(watch):
    assert watch.see(30, lambda _s: STREET * 0.2, noise=4) == []


def test_a_picture_that_stays_the_same_to_the_bit_is_frozen_though_its_clock_goes_on(watch):
    still = watch.noisy(STREET)

    def frozen(seconds):
        picture = still.copy()
        picture[4:12, 10:60] = 40 * int(seconds) % 255
        return picture

    (started,) = watch.see(5, frozen, noise=0)
    assert started.kind == "frozen"
    (ended,) = watch.see(6)
    assert isinstance(ended, TamperEnded)


def test_a_still_scene_that_the_encoder_repeats_from_the_start_is_not_called_frozen():
    watch = Watch()

    def coded(seconds):
        picture = STREET.copy()
        if int(seconds) % 20 < 3:
            picture[100:160, round(seconds % 3 * 90) : round(seconds % 3 * 90) + 25] = 230
        return picture

    assert watch.see(120, coded, noise=0) == []


def test_a_camera_turned_while_its_cable_was_out_is_told(watch):
    watch.health.gap()
    watch.now_ms += 600_000
    (started,) = watch.see(5, DEEDS["turned"])
    assert started.kind == "turned"


def test_a_new_aim_is_taken_for_the_right_one_after_hours(watch):
    (started,) = watch.see(5, DEEDS["turned"])
    watch.now_ms = started.since_ms + 6 * 3_600_000
    (ended,) = watch.see(5, DEEDS["turned"])
    assert ended.why == "accepted"
    assert watch.see(20, DEEDS["turned"]) == []
    (back,) = watch.see(5)
    assert back.kind == "turned"


def test_a_suspicion_asks_to_be_watched_closely(watch):
    assert not watch.health.suspects
    watch.see(1.5, DEEDS["covered"])
    assert watch.health.suspects


def _encoded(seconds, make, *, gop_s=2.0, noise=2.0, seed=5):
    """What a camera at a fixed bitrate sends of a scene, and which pictures are key frames."""
    random = np.random.default_rng(seed)
    given = (
        (n / FPS, make(n / FPS, np.clip(STREET + random.normal(0, noise, STREET.shape), 0, 255).astype(np.uint8)))
        for n in range(round(seconds * FPS))
    )
    return at_fixed_bitrate(given, FPS, gop_s)


def _frozen_from(begin_s):
    kept = []

    def make(at_s, picture):
        if at_s >= begin_s:
            kept.append(picture)
        return kept[0] if kept else picture

    return make


@pytest.mark.parametrize("gop_s", [2.0, 4.0])
def test_a_frozen_picture_that_is_encoded_anew_at_a_fixed_bitrate_is_told_within_five_seconds(gop_s):
    health = PictureHealth()
    told = [
        (at_s, event)
        for (at_s, picture), _ in _encoded(24, _frozen_from(16.0), gop_s=gop_s)
        if (event := health.look(picture, at_s * 1000)) is not None
    ]
    ((at_s, started),) = told
    assert started.kind == "frozen"
    assert 16.0 < at_s <= 21.0
    assert 15_500 <= started.since_ms <= 18_500


def test_a_still_night_at_a_fixed_bitrate_is_not_frozen_nor_when_somebody_has_walked_through_it():
    def night(at_s, picture):
        dark = np.clip(picture * 0.35 + 8, 0, 255).astype(np.uint8)
        if 20 <= at_s < 28:
            x = round((at_s - 20) * 30)
            dark[60:140, x : x + 30] = 120
        return dark

    health = PictureHealth()
    frames = _encoded(50, night, noise=12.0)
    assert [event for (at_s, picture), _ in frames if (event := health.look(picture, at_s * 1000))] == []


def test_a_resting_camera_whose_key_frames_are_frozen_is_looked_at_closely_and_told():
    """At rest only key frames are decoded; a still scene lets the camera sleep on but for moments."""

    def rests(begin_s, length_s):
        health, looks, told = PictureHealth(), 0, []
        for (at_s, picture), is_key in _encoded(length_s, _frozen_from(begin_s)):
            if at_s < 15 or is_key or health.suspects:
                looks += at_s >= 15
                event = health.look(picture, at_s * 1000)
                told += [(at_s, event.kind)] if event is not None else []
        return looks, told

    _, told = rests(41.0, 60)
    ((at_s, kind),) = told
    assert kind == "frozen"
    assert 41.0 < at_s <= 56.0
    looks, told = rests(999.0, 75)
    assert told == []
    assert looks < 0.25 * 60 * FPS


def test_a_switched_filter_is_not_frozen_though_its_encoder_betters_the_new_picture_for_seconds() -> None:
    random, health = np.random.default_rng(3), PictureHealth()
    day = np.kron(random.uniform(40, 110, (9, 16)), np.ones((20, 20)))
    for number in range(600):
        at_s = number / 10
        since_s = at_s - 20.0
        wavers = 2.0 if since_s < 0 else 0.6 + 16.0 * np.exp(-since_s / 4.0)
        picture = (day if since_s < 0 else day + 70.0) + random.normal(0, wavers, day.shape)
        assert health.look(np.clip(picture, 0, 255).astype(np.uint8), at_s * 1000) is None, at_s


def test_who_stands_still_after_walking_in_leaves_no_frozen_picture() -> None:
    """While something moves pictures 0.4 s apart are looked at: what is usual of such pairs is somebody who moves."""
    random, health = np.random.default_rng(3), PictureHealth()
    for number in range(300):
        at_s = number / 10
        if at_s > 6 and number % 4:
            continue
        wavers = 2.0 if at_s < 15 else 0.4  # behind who stands the encoder leaves little of the noise
        picture = STREET + random.normal(0, wavers, STREET.shape)
        if 6 < at_s < 15:
            x = round(30 * (at_s - 6))
            picture[20:160, x : x + 40] = random.uniform(0, 255, (140, 40))
        told = health.look(np.clip(picture, 0, 255).astype(np.uint8), at_s * 1000, moving=at_s > 6)
        assert told is None, at_s
