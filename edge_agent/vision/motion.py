"""Finds what moves in a camera's pictures: the scene is learned, what differs is followed, what moves is reported.

Pure: frames and their times come in as arguments. Works at a small size of its own, whatever size comes in, and stops
early at a frame in which nothing differs: that is what most frames of a watch are.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision import patches
from edge_agent.vision.background import Background
from edge_agent.vision.observation import BACKWARDS_MS, Box, Observation, Region
from edge_agent.vision.patches import Patches
from edge_agent.vision.places import Places
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.things import FELT_S, Things
from edge_agent.vision.tracks import Track
from edge_agent.vision.unrest import Unrest
from edge_agent.vision.weather import Weather

__all__ = ["Box", "MotionDetector", "Observation", "Region"]

Image = NDArray[Any]

WORKING_WIDTH = 320
WORKING_AREA = 320 * 240
STATIC_S = 12.0
"""What stood without stirring for so long becomes part of the scene."""
THERE = 0.2
"""A patch with so much more contour than the scene had there is a thing that stands: learned whole, or not at all."""
GHOST_S = 0.7
GONE = -0.3
"""A patch that stands still so long and has less contour than the scene had there shows that something has left."""
OUTLINE = np.ones((7, 7), np.uint8)
STANDS_OUT = 0.25
"""Of the least that a thing measures: so much of one that comes in over the edge is enough to look closer."""
LONGEST_STEP_S = 5.0
"""Frames further apart are taken for this: what went on between them is not known."""


def _shrunk(luma: Image, width: int, height: int) -> Image:
    """By exact halves first: ten times quicker than averaging over uneven areas at once, and nearly the same."""
    while luma.shape[1] >= 2 * width and luma.shape[0] >= 2 * height:
        luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if luma.shape != (height, width):
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_LINEAR)
    return luma


def _even(length: float) -> int:
    """The nearest even number of pixels, so that half the size is exact."""
    return max(8, 2 * round(length / 2))


class _View:
    """All that depends on the size of the pictures."""

    def __init__(self, settings: MotionSettings, width: int, height: int) -> None:
        scale = min(1.0, WORKING_WIDTH / width, (WORKING_AREA / (width * height)) ** 0.5)
        self.width, self.height = _even(width * scale), _even(height * scale)
        self.places = Places(settings, self.width, self.height)
        self.scene = Background((self.height, self.width), self.places.ignored, self.places.threshold_factor)
        self.unrest = Unrest((self.height, self.width))
        self.weather = Weather((self.height, self.width))
        self.things = Things(self.width, self.height, self.weather)
        self.smooth: Image = np.zeros((self.height, self.width), np.uint8)
        self.nothing: Image = np.zeros((self.height, self.width), np.uint8)
        self.foreground: Image = self.nothing


class MotionDetector:
    """Looks at one camera's luma frames in order of time; any size, which may change between frames."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._size = (0, 0)
        self._view: _View | None = None
        self._last_ms: float | None = None
        self._usual_change = 0.0

    def look(self, luma: Image, t_ms: float) -> Observation:
        """`luma` is (H, W) uint8; `t_ms` any monotonic milliseconds, however uneven. Returns what moves now.

        A picture that is not later than the one before (streams repeat and swap stamps) is taken for 1 ms later: what
        was seen in which picture is told by its time.
        """
        if luma.ndim != 2 or luma.dtype != np.uint8 or min(luma.shape) < 8:
            raise ValueError(f"luma must be a 2-D uint8 picture of at least 8x8, not {luma.dtype} {luma.shape}")
        height, width = luma.shape
        view = self._view
        if view is None or self._size != (width, height):
            view = self._view = _View(self._settings, width, height)
            self._size = (width, height)
            self._last_ms = None
        if self._last_ms is not None and -BACKWARDS_MS <= t_ms - self._last_ms <= 0.0:
            t_ms = self._last_ms + 1.0
        step_ms = 100.0 if self._last_ms is None else t_ms - self._last_ms
        dt_s = min(LONGEST_STEP_S, max(0.001, step_ms / 1000))
        self._last_ms = t_ms
        scene = view.scene
        first = scene.learned_s < 0
        cv2.blur(_shrunk(luma, view.width, view.height), (3, 3), dst=view.smooth)
        scene.take(view.smooth, dt_s, view.things.boxes(t_ms / 1000))
        if not first and self._is_global(scene, dt_s):
            scene.restart(view.smooth, self._standing(view, t_ms / 1000))
            view.foreground = view.nothing
            self._usual_change = 0.0
            return Observation(t_ms, global_change=True, ready=False)
        differs = scene.differing()
        if not scene.ready:
            view.foreground = view.nothing
            scene.rest(dt_s)
            view.unrest.wait(dt_s)
            return Observation(t_ms, ready=False)
        if cv2.countNonZero(differs) < view.places.least_area and not view.things.tracks:
            view.foreground = view.nothing
            view.weather.rest(dt_s)
            view.unrest.rest(dt_s)
            scene.rest(dt_s)
            return Observation(t_ms)
        now_s = t_ms / 1000
        differs = view.weather.see(differs, view.unrest.calm(), dt_s)
        active = scene.active()
        found = patches.cut(scene, differs, active, view.foreground, view.unrest, view.places.least_area)
        view.foreground = found.mask
        view.things.follow(found.blobs, now_s, view.unrest)
        view.things.hold(scene, now_s)
        self._learn(view, found, differs, active, now_s, dt_s)
        return self._observation(view, t_ms, now_s)

    def stands_out(self, luma: Image) -> bool:
        """Whether a picture, of any time, shows something that the scene does not; nothing is learned from it.

        `luma` as for `look`. True also where that cannot be said. Light is no difference, nor is what a pixel does by
        itself; whether what differs moves is not asked.
        """
        view = self._view
        if view is None or self._size != luma.shape[::-1] or not view.scene.ready:
            return True
        small = cv2.blur(_shrunk(luma, view.width, view.height), (3, 3))
        return view.scene.differing_in(small) >= STANDS_OUT * view.places.least_area

    def mask(self) -> Image:
        """(H, W) uint8 of the last frame at its own size: 255 where something moves, else 0."""
        if self._view is None:
            raise ValueError("mask: no frame was looked at yet: call look() first")
        large = cv2.resize(self._view.foreground, self._size, interpolation=cv2.INTER_LINEAR)
        return cv2.threshold(large, 127, 255, cv2.THRESH_BINARY)[1]

    @staticmethod
    def _standing(view: _View, now_s: float) -> Image:
        """uint8 mask of the proven things that were seen just before the whole picture changed."""
        standing = np.zeros_like(view.nothing)
        for track in view.things.dazzle(now_s):
            where = slice(track.blob.y0, track.blob.y1), slice(track.blob.x0, track.blob.x1)
            standing[where] = view.foreground[where]
        return cv2.dilate(standing, OUTLINE)

    def _is_global(self, scene: Background, dt_s: float) -> bool:
        """Whether the whole picture became another at once: a switched filter or lamp, not a large thing nearing."""
        share = scene.changed_share
        sudden = share - self._usual_change
        self._usual_change += (share - self._usual_change) * min(1.0, dt_s / 1.0)
        if sudden > 0.25 and share > 0.3 and scene.changed_areas >= 7:
            return True
        return share > 0.85 or (share > 0.5 and sudden > 0.35)

    def _learn(self, view: _View, found: Patches, differs: Image, active: Image, now_s: float, dt_s: float) -> None:
        scene = view.scene
        covering: list[int] = []
        proven: list[int] = []
        settled: list[int] = []
        gone: list[int] = []
        for track in view.things.tracks:
            if track.seen_s != now_s:
                continue
            still_s = now_s - track.stirred_s
            blob = track.blob
            where = slice(blob.y0, blob.y1), slice(blob.x0, blob.x1)
            if still_s > GHOST_S and (blob.contour < GONE or (still_s > FELT_S and scene.revealed(where))):
                gone.append(track.blob.label)
            elif still_s > STATIC_S:
                settled.append(track.blob.label)
            elif view.things.holds(track, now_s) if track.confirmed else now_s - track.birth_s < 1.0:
                covering.append(track.blob.label)
                if track.confirmed:
                    proven.append(track.blob.label)
            elif track.confirmed and track.came_far() and blob.contour > THERE:
                covering.append(track.blob.label)
        if settled or gone:
            scene.absorb(found.drawn(settled), found.drawn(gone))
        covered = found.drawn(covering)
        for track in view.things.hidden(now_s):
            where = slice(track.blob.y0, track.blob.y1), slice(track.blob.x0, track.blob.x1)
            covered[where] |= differs[where]
        thing = covered if len(proven) == len(covering) else found.drawn(proven)
        stirring = cv2.bitwise_and(found.stirring, cv2.dilate(active, OUTLINE))
        if not view.things.coming_back(now_s):
            view.unrest.see(cv2.subtract(stirring, thing), dt_s)
        scene.learn(covered, cv2.subtract(differs, covered), found.light, active, dt_s)
        scene.find_out(active, dt_s)
        scene.uncover()

    def _observation(self, view: _View, t_ms: float, now_s: float) -> Observation:
        regions: list[Region] = []
        since_s = now_s
        for track in view.things.moving(now_s):
            region = self._region(view, track)
            if region is not None:
                regions.append(region)
                since_s = min(since_s, track.since_s)
        if not regions:
            return Observation(t_ms)
        regions.sort(key=lambda region: -region.area)
        return Observation(t_ms, True, tuple(regions), max(region.score for region in regions), since_ms=since_s * 1000)

    def _region(self, view: _View, track: Track) -> Region | None:
        blob = track.blob
        zones = view.places.zones_of(blob.x0, blob.y0, blob.x1, blob.y1, view.foreground)
        if zones is None:
            return None
        box = (blob.x0 / view.width, blob.y0 / view.height, blob.x1 / view.width, blob.y1 / view.height)
        size = min(blob.x1 - blob.x0, blob.y1 - blob.y0)
        score = min(1.0, 0.3 + 0.4 * min(1.0, track.reach / max(4.0, size)) + 0.3 * min(1.0, track.hits / 10))
        pace = track.velocity[0] / view.width, track.velocity[1] / view.height
        return Region(box, blob.area / (view.width * view.height), score, zones, track.number, pace)
