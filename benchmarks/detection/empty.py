"""Scenes of labelled recordings with nobody in them, and with a thing that stood there and left."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.detection import videos
from benchmarks.detection.detectors import detector
from benchmarks.detection.looks import run
from benchmarks.detection.scores import Pixels
from benchmarks.detection.transforms import TRANSFORMS
from benchmarks.results import table
from edge_agent.vision.motion import MotionDetector
from edge_agent.vision.settings import MotionSettings

FPS = 10
LONGEST_SIDE = 640
NOISE = 1.5
"""Grey levels of a sensor's noise; seven layers of it, one at random a frame."""
LEARNS_S, WALKS_S, AFTER_S = 8.0, 3.0, 30.0
GHOST_AFTER_S = 3.0
"""What has left may be flagged no longer than this."""
Paint = Callable[[videos.Picture, float], None]


def _scenes(folder: Path, only: str) -> dict[str, videos.Picture]:
    scenes = {}
    for path in videos.recordings(folder):
        labels = videos.labels_of(path)
        if only in path.stem and labels is not None:
            scene = videos.empty_scene(path, labels)
            shrink = min(1.0, LONGEST_SIDE / scene.shape[1])
            scenes[path.stem] = cv2.resize(scene, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return scenes


def _filmed(
    scene: videos.Picture, seconds: float, random: np.random.Generator, paint: Paint | None = None
) -> Iterator[videos.Frame]:
    noise = NOISE * random.standard_normal((7, *scene.shape), dtype=np.float32)
    for number in range(round(seconds * FPS)):
        picture = scene.copy()
        if paint is not None:
            paint(picture, number / FPS)
        yield number / FPS, np.clip(picture + noise[int(random.integers(0, 7))], 0, 255).astype(np.uint8)


def nobody(folder: Path, only: str, which: tuple[str, ...], seconds: float) -> str:
    """For long under every transformation: every episode is false."""
    random = np.random.default_rng(20)
    rows, scenes = [], _scenes(folder, only)
    for label in which or TRANSFORMS:
        false, flagged_s, total_s, notes = 0, 0.0, 0.0, []
        for stem, scene in scenes.items():
            result = run(detector("ours"), TRANSFORMS[label](_filmed(scene, seconds, random)), None, Pixels())
            false += len(result.episodes)
            flagged_s += sum(end - start for start, end in result.episodes)
            total_s += result.last_s
            if result.episodes:
                notes.append(f"{stem} {len(result.episodes)}")
        row = [label, "ours", str(false), f"{false / total_s * 3600:.1f}", f"{flagged_s / total_s:.1%}"]
        rows.append([*row, ", ".join(notes)])
    return table(["transformation", "detector", "false", "false an hour", "flagged", "in"], rows)


class _Visitor:
    """A textured body, a tenth of the picture wide and four tenths high, that comes, stands and leaves to the right."""

    def __init__(self, shape: tuple[int, int], stands_s: float, sways: bool, comes: bool) -> None:
        height, width = shape
        self._width, self._height, self._stands_s, self._sways = width, height, stands_s, sways
        self._comes_s = LEARNS_S if comes else -WALKS_S
        random = np.random.default_rng(23)
        coarse = random.uniform(20, 220, (8, 4)).astype(np.float32)
        self._body = cv2.resize(coarse, (width // 10, height * 4 // 10), interpolation=cv2.INTER_CUBIC).clip(0, 255)
        self.leaves_s = self._comes_s + WALKS_S + stands_s
        self.gone_s = self.leaves_s + WALKS_S

    def paint(self, picture: videos.Picture, at_s: float) -> None:
        wide = self._body.shape[1]
        middle = (self._width - wide) // 2
        came = min(1.0, max(0.0, (at_s - self._comes_s) / WALKS_S))
        left = min(1.0, max(0.0, (at_s - self.leaves_s) / WALKS_S))
        x = round(-wide + came * (middle + wide) + left * (self._width - middle))
        if self._sways and came == 1.0 and at_s < self.leaves_s:
            x += round(0.004 * self._width * np.sin(at_s * 1.7))
        y = self._height // 2
        body = self._body[: self._height - y, max(0, -x) : max(0, self._width - x)]
        picture[y : y + body.shape[0], max(0, x) : max(0, x) + body.shape[1]] = body


def ghosts(folder: Path, only: str) -> str:
    """Somebody stands for some time and leaves: whether they are found, and what is flagged over 3 s after."""
    rows = []
    for stem, scene in _scenes(folder, only).items():
        for stands_s in (5.0, 30.0, 90.0):
            for how, sways, comes in (("still", False, True), ("sways", True, True), ("there first", False, False)):
                visitor = _Visitor(scene.shape, stands_s, sways, comes)
                random = np.random.default_rng(24)
                looker = MotionDetector(MotionSettings())
                found, ghost_s = 0, 0.0
                leaving = visitor.leaves_s, visitor.gone_s
                for at_s, picture in _filmed(scene, visitor.gone_s + AFTER_S, random, visitor.paint):
                    moving = looker.look(picture, at_s * 1000).moving
                    found += moving and leaving[0] < at_s < leaving[1]
                    ghost_s += (moving and at_s > visitor.gone_s + GHOST_AFTER_S) / FPS
                share = found / (FPS * WALKS_S)
                rows.append([stem, how, f"{stands_s:.0f}", f"{share:.0%}", f"{ghost_s:.1f}"])
    return table(["scene", "how", "stands s", "seen leaving", "ghost s"], rows)
