"""Finds what moves in a camera's pictures: the scene is learned, what differs is followed, what moves is reported.

Pure: frames and their times come in as arguments. Works at a small size of its own, whatever size comes in.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.background import Background
from edge_agent.vision.observation import Box, Observation, Region
from edge_agent.vision.places import Places
from edge_agent.vision.settings import MotionSettings
from edge_agent.vision.things import Blob, Things, Track

__all__ = ["Box", "MotionDetector", "Observation", "Region"]

Image = NDArray[Any]

WORKING_WIDTH = 320
WORKING_AREA = 320 * 240
STATIC_S = 12.0
"""What stood without stirring for so long becomes part of the scene."""
GHOST_S = 0.7
WARY_S = 10.0
"""So long after the start it was not seen yet how far leaves sway."""
MAX_BLOBS = 48
JOIN = np.ones((5, 3), np.uint8)
RIM = np.ones((3, 3), np.uint8)


def _shrunk(luma: Image, width: int, height: int) -> Image:
    """By exact halves first: ten times quicker than averaging over uneven areas at once, and nearly the same."""
    while luma.shape[1] >= 2 * width and luma.shape[0] >= 2 * height:
        luma = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if luma.shape != (height, width):
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_LINEAR)
    return luma


def _doubled(half: Image, shape: tuple[int, int]) -> Image:
    """Each pixel twice in both directions, cut off at `shape`."""
    return half.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]


class _View:
    """All that depends on the size of the pictures."""

    def __init__(self, settings: MotionSettings, width: int, height: int) -> None:
        scale = min(1.0, WORKING_WIDTH / width, (WORKING_AREA / (width * height)) ** 0.5)
        self.width, self.height = max(8, round(width * scale)), max(8, round(height * scale))
        self.places = Places(settings, self.width, self.height)
        self.background = Background((self.height, self.width), self.places.ignored, self.places.threshold_factor)
        self.things = Things(self.width, self.height)
        self.now_s = 0.0
        self.foreground: Image = np.zeros((self.height, self.width), np.uint8)


class MotionDetector:
    """Looks at one camera's luma frames in order of time; any size, which may change between frames."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._size = (0, 0)
        self._view: _View | None = None
        self._last_ms: float | None = None
        self._usual_change = 0.0

    def look(self, luma: Image, t_ms: float) -> Observation:
        """`luma` is (H, W) uint8; `t_ms` any monotonic milliseconds. Returns what moves in this frame."""
        if luma.ndim != 2 or luma.dtype != np.uint8 or min(luma.shape) < 8:
            raise ValueError(f"luma must be a 2-D uint8 picture of at least 8x8, not {luma.dtype} {luma.shape}")
        height, width = luma.shape
        view = self._view
        if view is None or self._size != (width, height):
            view = self._view = _View(self._settings, width, height)
            self._size = (width, height)
            self._last_ms = None
        dt_s = 0.1 if self._last_ms is None else min(1.0, max(0.001, (t_ms - self._last_ms) / 1000))
        self._last_ms = t_ms
        small = cv2.blur(_shrunk(luma, view.width, view.height), (3, 3))
        scene = view.background
        first = scene.learned_s < 0
        scene.take(small, dt_s)
        clearly, perhaps = scene.differing()
        active = cv2.medianBlur(scene.active(), 3)
        global_change = not first and self._is_global(scene, dt_s)
        if global_change:
            scene.restart()
            scene.take(small, dt_s)
            view.foreground.fill(0)
            self._usual_change = 0.0
            return Observation(t_ms, global_change=True, ready=False)
        now_s = view.now_s = t_ms / 1000
        if not scene.ready:
            view.foreground.fill(0)
            nothing = np.zeros_like(perhaps)
            scene.learn(nothing, nothing, active, dt_s)
            return Observation(t_ms, ready=False)
        labels, blobs = self._blobs(view, clearly, perhaps, active)
        view.things.follow(blobs, now_s, dt_s, wary=scene.learned_s < WARY_S)
        self._learn(view, labels, perhaps, active, dt_s)
        return self._observation(view, t_ms, now_s)

    def mask(self) -> Image:
        """(H, W) uint8 of the last frame at its own size: 255 where something moves, else 0."""
        if self._view is None:
            raise ValueError("mask: no frame was looked at yet: call look() first")
        large = cv2.resize(self._view.foreground, self._size, interpolation=cv2.INTER_LINEAR)
        return cv2.threshold(large, 127, 255, cv2.THRESH_BINARY)[1]

    def _is_global(self, scene: Background, dt_s: float) -> bool:
        """Whether the whole picture became another at once: a switched filter or lamp, not a large thing nearing."""
        share = scene.changed_share
        sudden = share - self._usual_change
        self._usual_change += (share - self._usual_change) * min(1.0, dt_s / 1.0)
        return share > 0.85 or (share > 0.5 and sudden > 0.35)

    def _blobs(self, view: _View, clearly: Image, perhaps: Image, active: Image) -> tuple[Image, list[Blob]]:
        """Cleans what differs and cuts it into patches; leaves the cleaned mask in `view.foreground`."""
        mask = cv2.medianBlur(perhaps, 5)
        before, view.foreground = view.foreground, mask
        lasting_share = min(0.7, 0.2 + 2.0 * cv2.countNonZero(mask) / mask.size)
        outside = cv2.countNonZero(cv2.subtract(active, cv2.dilate(mask, JOIN)))
        stirring_share = 0.01 + 2.5 * outside / mask.size
        if not cv2.countNonZero(mask):
            return np.zeros((0, 0), np.int32), []
        # Patches are joined and labelled at half size: a quarter of the cost, and parts of one body come together.
        joined = np.ascontiguousarray(cv2.dilate(mask, JOIN)[::2, ::2])
        _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_32S)
        blobs: list[Blob] = []
        order = np.argsort(-stats[1:, cv2.CC_STAT_AREA]) + 1
        if len(order) > MAX_BLOBS:
            kept = np.isin(labels, order[:MAX_BLOBS]).astype(np.uint8)
            cv2.bitwise_and(mask, _doubled(kept, mask.shape) * np.uint8(255), dst=mask)
        for label in order[:MAX_BLOBS].tolist():
            x, y, w, h, _ = stats[label].tolist()
            here = _doubled(labels[y : y + h, x : x + w] == label, (view.height - 2 * y, view.width - 2 * x))
            x, y, (h, w) = 2 * x, 2 * y, here.shape
            part = np.where(here, mask[y : y + h, x : x + w], 0).astype(np.uint8)
            area = cv2.countNonZero(part)
            if area < view.places.least_area or not cv2.countNonZero(
                cv2.bitwise_and(part, clearly[y : y + h, x : x + w])
            ):
                mask[y : y + h, x : x + w][here] = 0
                continue
            changed, lit, edge = view.background.structure(x, y, x + w, y + h)
            n_changed = cv2.countNonZero(cv2.bitwise_and(changed, part))
            n_lit = cv2.countNonZero(cv2.bitwise_and(lit, part))
            if n_changed < 0.1 * area or n_changed < 0.5 * n_lit:
                mask[y : y + h, x : x + w][here] = 0
                continue
            ring = cv2.subtract(part, cv2.erode(part, RIM))
            on_ring = edge[ring > 0]
            contour = float(on_ring.sum() / (np.abs(on_ring).sum() + 1.0)) if len(on_ring) else 0.0
            moments = cv2.moments(part, binaryImage=True)
            blobs.append(
                Blob(
                    label,
                    x,
                    y,
                    x + w,
                    y + h,
                    area,
                    x + moments["m10"] / area,
                    y + moments["m01"] / area,
                    cv2.countNonZero(cv2.bitwise_and(part, active[y : y + h, x : x + w]))
                    >= max(3.0, stirring_share * area),
                    contour,
                    cv2.countNonZero(cv2.bitwise_and(part, before[y : y + h, x : x + w])) >= lasting_share * area,
                    n_changed / area,
                )
            )
        return labels, blobs

    def _learn(self, view: _View, labels: Image, perhaps: Image, active: Image, dt_s: float) -> None:
        now_s = view.now_s
        scene = view.background
        covered = np.zeros_like(perhaps)
        for track in view.things.tracks:
            if track.seen_s != now_s:
                continue
            blob = track.blob
            corner = labels[blob.y0 // 2 : (blob.y1 + 1) // 2, blob.x0 // 2 : (blob.x1 + 1) // 2]
            here = _doubled(corner == blob.label, (blob.y1 - blob.y0, blob.x1 - blob.x0))
            gone = blob.contour < -0.3 and now_s - track.stirred_s > GHOST_S
            still = now_s - track.stirred_s > STATIC_S
            if gone or still:
                whole = np.zeros(perhaps.shape, bool)
                whole[blob.y0 : blob.y1, blob.x0 : blob.x1] = here
                scene.absorb(whole)
            elif track.confirmed or now_s - track.birth_s < 1.0:
                covered[blob.y0 : blob.y1, blob.x0 : blob.x1][here] = 255
        doubted = cv2.subtract(perhaps, covered)
        scene.learn(covered, doubted, active, dt_s)
        scene.uncover()

    def _observation(self, view: _View, t_ms: float, now_s: float) -> Observation:
        regions: list[Region] = []
        since_s = now_s
        for track in view.things.moving(now_s):
            region = self._region(view, track)
            if region is not None:
                regions.append(region)
                since_s = min(since_s, track.birth_s)
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
        return Region(box, blob.area / (view.width * view.height), score, zones)
