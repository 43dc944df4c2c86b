"""The steady loop over frames keeps nothing: memory after many frames is what it was after some."""

import gc
import tracemalloc

import cv2
import numpy as np

from edge_agent.vision.demotion import Demotion
from edge_agent.vision.episodes import Episodes
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.tamper import PictureHealth

HEIGHT, WIDTH, ROUND = 96, 160, 60
WARM_UP, ROUNDS = 12, 20
A_FLOAT_A_FRAME = 24 * ROUND * ROUNDS


class Watch:
    """All that looks at a camera's frames, and a street on which somebody walks half of the time."""

    def __init__(self) -> None:
        self.detector, self.health = MotionDetector(MotionSettings()), PictureHealth()
        self.demotion, self.episodes = Demotion(), Episodes(MotionSettings())
        self.frames = [self._frame(number) for number in range(ROUND)]
        self.looked = self.moving = 0

    @staticmethod
    def _frame(number: int) -> np.ndarray:
        random = np.random.default_rng(number)
        street = np.random.default_rng(7).integers(60, 160, (HEIGHT // 12, WIDTH // 20)).repeat(12, 0).repeat(20, 1)
        picture = street + random.normal(0, 2, street.shape)
        if number < ROUND // 2:
            left = round(number / (ROUND // 2) * (WIDTH - 14))
            picture[30:75, left : left + 14] = 235
        return np.clip(picture, 0, 255).astype(np.uint8)

    def round(self) -> None:
        for frame in self.frames:
            t_ms = self.looked * 100.0
            observation = self.demotion.see(self.detector.look(frame, t_ms))
            self.moving += observation.moving
            self.episodes.step(observation, t_ms)
            self.health.look(frame, t_ms)
            self.looked += 1


def test_twelve_hundred_frames_leave_nothing_behind() -> None:
    cv2.setNumThreads(1)
    watch = Watch()
    tracemalloc.start()
    try:
        for _ in range(WARM_UP):
            watch.round()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(ROUNDS):
            watch.round()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert watch.moving > WARM_UP * 10  # it did look, and found who walks
    assert grown < A_FLOAT_A_FRAME / 2
