"""Synthetic grey scenes: textured ground, sensor noise, and what moves, sways, flickers or rains before it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.observation import Observation

Picture = NDArray[np.uint8]


class Scene:
    """A street of blocks and texture, made anew with sensor noise for every frame; the same seed, the same frames."""

    def __init__(self, width: int = 320, height: int = 180, noise: float = 2.5, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self.width, self.height, self._noise = width, height, noise
        coarse = self._random.uniform(60, 170, (height // 20 + 1, width // 20 + 1))
        ground = np.kron(coarse, np.ones((20, 20)))[:height, :width]
        self._ground = (ground + self._random.normal(0, 6, (height, width))).astype(np.float32)
        self._bricks = self._random.normal(0, 18, (height, width)).astype(np.float32)

    def empty(self) -> NDArray[np.float32]:
        """The scene without noise, to paint on."""
        return self._ground.copy()

    def paint(self, picture: NDArray[np.float32], x: float, y: float, width: int, height: int, level: float) -> None:
        """A textured thing with its top left at (x, y), cut off at the picture's edges."""
        x0, y0 = round(x), round(y)
        left, top = max(0, x0), max(0, y0)
        right, bottom = min(self.width, x0 + width), min(self.height, y0 + height)
        if left < right and top < bottom:
            bricks = self._bricks[top - y0 : bottom - y0, left - x0 : right - x0]
            picture[top:bottom, left:right] = level + bricks

    def shoot(self, picture: NDArray[np.float32] | None = None, gain: float = 1.0) -> Picture:
        """One frame: light, sensor noise, 8 bits."""
        light = (self._ground if picture is None else picture) * gain
        noisy = light + self._random.normal(0, self._noise, light.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)


def times_ms(seconds: float, fps: float, start_s: float = 0.0) -> Iterator[float]:
    """Frame times of so many seconds."""
    for number in range(round(seconds * fps)):
        yield (start_s + number / fps) * 1000


def look_at_empty(detector: MotionDetector, scene: Scene, seconds: float = 3.0, fps: float = 10.0) -> float:
    """Lets the detector learn the empty scene; returns the second at which it ended."""
    for t_ms in times_ms(seconds, fps):
        assert not detector.look(scene.shoot(), t_ms).moving
    return seconds


def first_moving(observations: list[Observation]) -> Observation:
    """The first observation in which something moves."""
    return next(observation for observation in observations if observation.moving)
