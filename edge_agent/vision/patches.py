"""Cuts what differs from the scene into patches, with what tells a body from light, noise and weather. Pure.

Rules: all figures are gathered at half the working size and for all patches at once, so that the cost hardly grows
with their number. Cast light keeps the texture of what it falls on: normalised cross-correlation of the frame with the
scene, Jacques et al. (SIBGRAPI 2005). Where there is no texture, it multiplies what was there by the same throughout:
Rosin and Ellis, "Image difference threshold strategies and shadow detection" (BMVC 1995).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.vision.background import MUCH, TREMBLING, Background
from edge_agent.vision.tracks import Blob
from edge_agent.vision.unrest import Unrest

Image = NDArray[Any]

MAX_BLOBS = 48
WINDOW = (3, 3)
"""Pixels at half size over which textures are compared."""
JOIN = np.ones((5, 3), np.uint8)
RIM = np.ones((3, 3), np.uint8)
OUTLINE = 100.0
"""Sobel's sum of a blurred mask at its outline."""
CHANGED_BELOW = 0.5
LIT_ABOVE = 0.85
SHARP = 0.22
"""A body differs as much just within its contour as inside; a beam, a shadow or what is near the lens fades out."""
PLAIN = 0.4
"""A patch of which a smaller share has another texture may be light with a sharp rim, which is texture itself."""
PLAIN_INSIDE, EVEN, EVEN_PIXELS = 0.2, 0.08, 60
"""It is, where away from the rim hardly any has, and the logarithm of how many times brighter than the scene a pixel is
(of so many at least, at half size) deviates by less than so much of its mean. Bodies: 0.1 and more. What is darker is
left alone: who wears dark clothes on a dark floor at the second of a beam would be lost."""


@dataclass(frozen=True, slots=True)
class Patches:
    """The patches of one frame: `mask` (uint8, working size) of their pixels, `labels` (half size), and each one.

    `light` are the patches that only another light makes; `stirring` all others, also those too small to be a thing.
    """

    mask: Image
    light: Image
    stirring: Image
    labels: Image
    blobs: tuple[Blob, ...]

    def drawn(self, chosen: list[int]) -> Image:
        """uint8 mask at working size, 255 around the blobs whose labels are chosen."""
        height, width = self.mask.shape
        if not chosen:
            return np.zeros((height, width), np.uint8)
        table = np.zeros(int(self.labels.max()) + 1, bool)
        table[chosen] = True
        return _spread(table, self.labels, self.mask.shape)


def cleaned(differs: Image) -> Image:
    """The majority of 5x5 pixels; for a mask the same as a median, at a quarter of its cost."""
    return cv2.threshold(cv2.blur(differs, (5, 5)), 130, 255, cv2.THRESH_BINARY)[1]


def _spread(chosen: Image, labels: Image, shape: tuple[int, ...]) -> Image:
    """uint8 mask of `shape`, 255 where `chosen` (bool, by label) holds for the label."""
    table = chosen.astype(np.uint8) * np.uint8(255)
    return cv2.resize(table[labels], (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)


def _half(picture: Image) -> Image:
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _across(now: Image, was: Image, mask: Image) -> tuple[Image, Image]:
    """Squared steps of two pictures across the outline of `mask`, float32, 0 elsewhere.

    What is there makes a step in the picture, what has gone one in the scene; textures mostly run otherwise.
    """
    outline = cv2.blur(mask, (3, 3))
    to_x, to_y = cv2.Sobel(outline, cv2.CV_32F, 1, 0), cv2.Sobel(outline, cv2.CV_32F, 0, 1)
    length = cv2.add(cv2.multiply(to_x, to_x), cv2.multiply(to_y, to_y))
    length[length < OUTLINE * OUTLINE] = np.inf
    steps = []
    for picture in (now, was):
        x, y = cv2.Sobel(picture, cv2.CV_32F, 1, 0), cv2.Sobel(picture, cv2.CV_32F, 0, 1)
        step = cv2.add(cv2.multiply(x, to_x), cv2.multiply(y, to_y))
        steps.append(cv2.divide(cv2.multiply(step, step), length))
    return steps[0], steps[1]


def textures(now: Image, was: Image, noise: float) -> tuple[Image, Image]:
    """(changed, lit) of two pictures: bool where the texture is another, or the same in another light."""
    now, was = now.astype(np.float32), was.astype(np.float32)
    mean_now, mean_was = cv2.blur(now, WINDOW), cv2.blur(was, WINDOW)
    var_now = cv2.subtract(cv2.sqrBoxFilter(now, cv2.CV_32F, WINDOW), cv2.multiply(mean_now, mean_now))
    var_was = cv2.subtract(cv2.sqrBoxFilter(was, cv2.CV_32F, WINDOW), cv2.multiply(mean_was, mean_was))
    both = cv2.subtract(cv2.blur(cv2.multiply(now, was), WINDOW), cv2.multiply(mean_now, mean_was))
    # What is too dark to show its texture may show it in more light.
    rise = cv2.divide(mean_now + np.float32(4.0), mean_was + np.float32(4.0))
    floor = np.float32(4.0 * noise * noise) * np.maximum(rise * rise, 1.0)
    var_now, var_was = np.maximum(var_now, 0.01), np.maximum(var_was, 0.01)
    agreed = np.sqrt(var_now * var_was)
    changed = (np.maximum(var_now, var_was) > floor) & (both < agreed * np.float32(CHANGED_BELOW))
    lit = (np.minimum(var_now, var_was) > floor) & (both > agreed * np.float32(LIT_ABOVE))
    return changed, lit


def cut(scene: Background, differs: Image, active: Image, before: Image, unrest: Unrest, least_area: int) -> Patches:
    """Cuts `differs` (uint8 mask); `active` changes right now, `before` is the mask of the frame before."""
    mask = cleaned(differs)
    if cv2.countNonZero(mask) == 0:
        return Patches(mask, mask, mask, np.zeros((0, 0), np.uint16), ())
    # More must stir in a patch the more stirs elsewhere: rain and noise are everywhere.
    outside = cv2.countNonZero(cv2.subtract(active, cv2.dilate(mask, JOIN)))
    stirring_share = 0.01 + 2.5 * outside / mask.size
    joined = np.ascontiguousarray(cv2.dilate(mask, JOIN)[::2, ::2])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_16U)
    # Of a bool array five times quicker than of numbers; and sums take labels of no other type as they are.
    here = np.flatnonzero(labels != 0)
    label = labels.ravel()[here].astype(np.intp)

    def sums(weights: Image) -> Image:
        return np.bincount(label, weights=weights, minlength=count)

    def shares(of: Image) -> Image:
        """Pixels at working size of a uint8 mask, a label."""
        return sums(_half(of).ravel()[here]) * (4.0 / 255.0)

    weight = _half(mask).ravel()[here]
    area = sums(weight) * (4.0 / 255.0)
    likely = (area >= least_area) & (shares(cv2.bitwise_and(mask, scene.clearly())) >= 1.0)
    likely[0] = False
    if not likely.any():
        nothing = np.zeros_like(mask)
        return Patches(nothing, nothing, mask, labels, ())
    chosen = np.flatnonzero(likely)
    x0, y0 = int(stats[chosen, 0].min()), int(stats[chosen, 1].min())
    x1 = int((stats[chosen, 0] + stats[chosen, 2]).max())
    y1 = int((stats[chosen, 1] + stats[chosen, 3]).max())
    kept = likely[label]
    here, label, weight = here[kept], label[kept], weight[kept]
    width = labels.shape[1]
    columns, rows = here % width, here // width
    window = slice(max(0, y0 - 2), y1 + 2), slice(max(0, x0 - 2), x1 + 2)
    now, was = _half(scene.now)[window], _half(scene.expected)[window]
    changed, lit = textures(now, was, scene.noise)
    inside = (rows - window[0].start) * changed.shape[1] + (columns - window[1].start)
    n_changed = sums(changed.ravel()[inside] * weight) * (4.0 / 255.0)
    n_lit = sums(lit.ravel()[inside] * weight) * (4.0 / 255.0)
    body = (_half(mask) > 127).astype(np.uint8)
    inner = cv2.erode(body, RIM)
    deep = cv2.erode(inner, RIM)
    just_inside = cv2.subtract(inner, deep).ravel()[here]
    difference = _half(scene.difference).ravel()[here].astype(np.float32)
    inside_area = sums(just_inside)
    peak = sums(difference * difference) / (sums(difference) + 1.0)
    sharp = np.where(inside_area >= 12, sums(difference * just_inside) / (inside_area * peak + 1.0), 1.0)
    light = (n_changed < 0.1 * area) | (n_changed < 0.5 * n_lit) | (sharp < SHARP)
    if (likely & ~light & (n_changed < PLAIN * area)).any():
        core = np.flatnonzero(deep.ravel()[here])
        at, of = inside[core], label[core]
        deep_area = np.maximum(np.bincount(of, minlength=count), 1.0)
        gain = np.log((now.ravel()[at] + np.float32(4.0)) / (was.ravel()[at] + np.float32(4.0)))
        mean_gain = np.bincount(of, weights=gain, minlength=count) / deep_area
        mean_square = np.bincount(of, weights=gain * gain, minlength=count) / deep_area
        spread = np.sqrt(np.maximum(mean_square - mean_gain * mean_gain, 0.0))
        is_plain = np.bincount(of, weights=changed.ravel()[at], minlength=count) < PLAIN_INSIDE * deep_area
        light |= is_plain & (deep_area >= EVEN_PIXELS) & (spread < EVEN * mean_gain)
    lit_mask, stirring_mask = np.zeros_like(mask), mask
    if (light & likely).any():
        lit_mask = _spread(light & likely, labels, mask.shape)
        stirring_mask = cv2.subtract(mask, lit_mask)
    likely &= ~light
    across_now, across_was = _across(now, was, _half(mask)[window])
    step_now = sums(across_now.ravel()[inside])
    step_was = sums(across_was.ravel()[inside])
    contour = (step_now - step_was) / (step_now + step_was + 1.0)
    stirring = shares(cv2.bitwise_and(mask, active))
    differed = shares(cv2.bitwise_and(mask, before))
    restless = sums(unrest.at_half_size().ravel()[here] * weight)
    # Who stands still changes little but everywhere: the mean tells what no single pixel does.
    trembling = sums(_half(scene.change).ravel()[here] * weight) / (area * 255.0 / 4.0 + 1.0)
    usual = MUCH * cv2.mean(scene.change)[0] + TREMBLING
    centre_x, centre_y = sums(columns * weight), sums(rows * weight)
    chosen = np.flatnonzero(likely)
    if len(chosen) > MAX_BLOBS:
        chosen = chosen[np.argsort(-area[chosen])[:MAX_BLOBS]]
        likely[:] = False
        likely[chosen] = True
    if not likely[1:].all():
        mask = cv2.bitwise_and(mask, _spread(likely, labels, mask.shape))
    blobs = []
    for number in chosen.tolist():
        x, y, w, h, _ = stats[number].tolist()
        pixels = float(area[number])
        mass = pixels * 255.0 / 4.0
        blobs.append(
            Blob(
                number,
                2 * x,
                2 * y,
                2 * (x + w),
                2 * (y + h),
                pixels,
                2.0 * float(centre_x[number]) / mass + 0.5,
                2.0 * float(centre_y[number]) / mass + 0.5,
                float(stirring[number]) >= max(3.0, stirring_share * pixels) or float(trembling[number]) > usual,
                float(contour[number]),
                float(differed[number]),
                float(n_changed[number]) / pixels,
                float(restless[number]) / mass,
                unrest.beyond(2 * x, 2 * y, 2 * (x + w), 2 * (y + h)),
                float(sharp[number]),
            )
        )
    return Patches(mask, lit_mask, stirring_mask, labels, tuple(blobs))
