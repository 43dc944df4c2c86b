"""Light that differs from place to place, as the shadows of clouds make it, so that who walks in them is seen. Pure.

Rules: light changes gradually, what it falls on by steps (Land and McCann): a shadow's rim is as wide as the sun makes
it, a body has an outline. Cells whose ratio of picture to scene is without steps, and that hang together over a fair
part of the picture, are lit. Outlines, islands within them, and where a thing was seen a moment ago, get the light of
what is around. What any light near a pixel explains fits the scene; the rest is measured against the nearest light.

Sources: Land, McCann, "Lightness and Retinex Theory" (JOSA 1971); what is not known filled in from around: Knutsson,
Westin, "Normalized and Differential Convolution" (CVPR 1993).
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Boxes = tuple[tuple[int, int, int, int], ...]

BLACK = np.float32(4.0)
"""Grey levels added to both pictures: ratios of what is dark are noise."""
BEGINS, LASTS = 8.0, 4.0
"""Grey levels by which so many cells must be off for the light to be taken out: at first what makes a still scene's
pixels differ, then half of it, so that no shadow is learned as wavering."""
FAIR_SHARE = 0.125
"""Of the cells, how many must be off."""
STEP, STEP_NOISE = 0.2, 3.0
"""Of the ratio within 3x3 pixels of half size, and so many times the noise more: a step. A shadow with a rim of a
twentieth of the picture's width, half as bright, has 0.14."""
WITHOUT_STEPS = 0.7
"""Of a cell's pixels: an outline is three pixels of four at least, or two half cells."""
WITHOUT_OUTLINE = 0.97
"""Of the cells around a thing: it is a light after all. The outline of half the picture is a fifth of its cells."""
APART = 1024.0
"""Grey levels: more than any two pictures differ by."""
CURVE_STEP = 16.0
"""Grey levels over which a sensor's curve is as good as straight."""
STRETCH = 0.05
"""Of the picture: lit cells that hang together over less may be the inside of a body."""
FILL = (3, 7, 15, 31)
FARTHER = 0.01
"""Cells that light is filled in from, and how much less each next, wider ring counts: only where there is no nearer."""
NEAR = np.ones((5, 5), np.uint8)
WIDEST = 2
"""Cells to each side whose light may be a pixel's: a rim is nowhere known better than to a cell."""
AROUND = np.ones((3, 3), np.uint8)


def _half(picture: Image) -> Image:
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _cells(picture: Image, shape: tuple[int, ...]) -> Image:
    """Means over all of the picture, also what the last cells would leave over."""
    return cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


def _touched(box: tuple[int, int, int, int], shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the cells that a box of pixels (x0, y0, x1, y1) touches."""
    down, across = shape[0] / size[0], shape[1] / size[1]
    x0, y0, x1, y1 = box
    return slice(int(y0 * down), math.ceil(y1 * down)), slice(int(x0 * across), math.ceil(x1 * across))


def is_curve(now: Image, was: Image, things: Boxes, size: tuple[int, ...], least: float) -> bool:
    """Whether what is as bright has become so everywhere: a sensor's curve and its white, not light on a place.

    `now` and `was` are (h, w) float32 cells of pictures of `size`; beside the `things` fewer than an eighth of them
    are then off by `least` (grey levels) still.
    """
    beside = np.ones(now.shape, bool)
    for box in things:
        beside[_touched(box, now.shape, size)] = False
    off, bins = (now - was)[beside], (was[beside] // CURVE_STEP).astype(np.intp)
    if not off.size:
        return True
    # Sorted by brightness and then by how far off: the middle of each stretch is a median.
    counts = np.bincount(bins)
    begins, ranked = np.cumsum(counts) - counts, np.sort(off + APART * bins)
    lower = np.minimum(begins + np.maximum(counts - 1, 0) // 2, off.size - 1)
    upper = np.minimum(begins + counts // 2, off.size - 1)
    usual = (ranked[lower] + ranked[upper]) / 2.0 - APART * np.arange(len(counts))
    off = off - usual[bins]
    return bool(np.count_nonzero(np.abs(off) > least) < FAIR_SHARE * now.size)


def logs(now: Image, was: Image, noise: float, seen: Image, things: Boxes, least: float) -> Image | None:
    """Logarithms of how much brighter each cell is than the scene, (h, w) float32; None where the light is even.

    `now` and `was` are (H, W) uint8, the picture and the scene; `seen` (h, w) bool are the cells to look at; `things`
    were seen a moment ago; `least` (grey levels) is how far an eighth of the cells must be off.
    """
    shape = seen.shape
    if min(shape) < 3:
        return None
    small_now, small_was = _half(now).astype(np.float32) + BLACK, _half(was).astype(np.float32) + BLACK
    ratio = cv2.log(cv2.divide(small_now, small_was))
    steps = cv2.subtract(cv2.dilate(ratio, AROUND), cv2.erode(ratio, AROUND))
    gradual = (cv2.multiply(steps, small_was) <= STEP * small_was + np.float32(STEP_NOISE * noise)).astype(np.float32)
    share = _cells(gradual, shape)
    even = seen & (share > WITHOUT_STEPS)
    for box in things:
        where = _touched(box, shape, now.shape)
        if np.count_nonzero(even[where]) < WITHOUT_OUTLINE * even[where].size:
            even[where] = False
    _, labels, stats, _ = cv2.connectedComponentsWithStats(even.astype(np.uint8), connectivity=4)
    wide = stats[:, cv2.CC_STAT_AREA] >= STRETCH * seen.size
    wide[0] = False
    weight = share * wide[labels].astype(np.float32)
    known = _cells(cv2.multiply(gradual, ratio), shape) * wide[labels].astype(np.float32)
    off = np.abs(known) * _cells(small_was, shape) > least * weight
    if np.count_nonzero(off) < FAIR_SHARE * seen.size:
        return None
    total, heavy, part = known, weight + np.float32(1e-20), 1.0
    for width in FILL:
        part *= FARTHER
        total = total + part * cv2.blur(known, (width, width), borderType=cv2.BORDER_CONSTANT)
        heavy = heavy + part * cv2.blur(weight, (width, width), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / heavy, np.float32)


def evened(now: Image, was: Image, light: Image) -> Image:
    """The picture (H, W) uint8 in the scene's light; `light` as `logs` gives it."""
    # Half a cell beyond the outermost cells' middles the light goes on as it did.
    wide = np.pad(light, WIDEST, mode="reflect", reflect_type="odd")
    inner = slice(WIDEST, -WIDEST), slice(WIDEST, -WIDEST)
    size = now.shape[1], now.shape[0]
    least = cv2.resize(cv2.exp(np.ascontiguousarray(cv2.erode(wide, NEAR)[inner])), size)
    most = cv2.resize(cv2.exp(np.ascontiguousarray(cv2.dilate(wide, NEAR)[inner])), size)
    bright = now.astype(np.float32) + BLACK
    gain = cv2.min(cv2.max(cv2.divide(bright, was.astype(np.float32) + BLACK), least), most)
    return np.asarray(cv2.convertScaleAbs(np.maximum(cv2.divide(bright, gain) - BLACK, 0.0)))
