"""Tells a change of the light from a change of the scene, over coarse cells, so that the light can be taken out. Pure.

Rules: one gain and offset for the whole picture (exposure, a cloud, dusk), then one gain a row of cells (lamps at 50 Hz
seen through a rolling shutter); each only where it explains most of the picture, so that no thing passes for light.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]

CELL = 8
FITS = 0.36
"""Grey levels: a picture whose median cell differs by less is in the same light."""
CHANGED = 12.0
"""Grey levels: a cell that differs by more in any light is another."""
BLANK = 8.0
"""Grey levels: cells of a scene that differ by less among themselves show nothing by which a light could be told."""
LEAST_FLICKER = 0.012
"""Gains of rows that differ by less are noise."""


@dataclass(frozen=True, slots=True)
class Light:
    """What carries the learned scene into this frame's light, and how much of the picture no light explains (0..1)."""

    gain: float
    offset: float
    changed_share: float
    changed_areas: int
    """Of nine areas of the picture, those of which a quarter is explained by no light."""
    apart: Image
    """(h, w) float32 grey levels by which each cell differs all the same."""
    rows: Image | None
    """Gain of each row of pixels (H, 1) float32 where lamps flicker in bands, else None."""

    @property
    def same(self) -> bool:
        """Whether the whole picture's light is as it was."""
        return abs(self.gain - 1.0) * 100.0 + abs(self.offset) < 0.5


def cells_of(picture: Image) -> Image:
    """Means over 8x8 pixels, (H // 8, W // 8) of the picture's own type: by exact halves, the quickest way."""
    height, width = picture.shape
    if min(width, height) < CELL:
        return cv2.resize(picture, (1, 1), interpolation=cv2.INTER_AREA)
    cells = picture[: height // CELL * CELL, : width // CELL * CELL]
    for _ in range(3):
        cells = cv2.resize(cells, (cells.shape[1] // 2, cells.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cells


def median(values: Image) -> float:
    """The upper middle one of a flat array. NumPy's own looks for what is not a number, and `partition` takes six times
    as long where half of the values are the same one, as noise at its floor is."""
    return float(np.sort(values)[len(values) // 2])


def _fitted(now: Image, was: Image) -> tuple[float, float] | None:
    """Gain and offset of the whole picture: robust guesses first, then least squares over what fits.

    None where a blank scene (black before the first picture, a covered lens) became another at once.
    """
    rise = now - was
    best = median(np.abs(rise))
    gain, offset = 1.0, 0.0
    if best < FITS:
        return gain, offset
    if best >= CHANGED and float(np.ptp(np.percentile(was, (5.0, 95.0)))) < BLANK:
        return None
    ratio = median((now + 4.0) / (was + 4.0))
    for try_gain, try_offset in ((ratio, 4.0 * (ratio - 1.0)), (1.0, median(rise))):
        trial = median(np.abs(now - try_gain * was - try_offset))
        if trial < best * 0.9:
            gain, offset, best = try_gain, try_offset, trial
    for _ in range(2):
        fits = np.abs(now - gain * was - offset) <= max(2.0, 2.5 * best)
        x, y = was[fits], now[fits]
        if len(x) < 8:
            break
        mean_x, mean_y = float(np.add.reduce(x)) / len(x), float(np.add.reduce(y)) / len(y)
        x, y = x - mean_x, y - mean_y
        # The ridge keeps a picture without contrast from inventing a gain.
        slope = (float(x @ y) / len(x) + 25.0 * gain) / (float(x @ x) / len(x) + 25.0)
        slope = min(4.0, max(0.2, slope))
        shift = mean_y - slope * mean_x
        trial = median(np.abs(now - slope * was - shift))
        if trial > best:
            break
        gain, offset, best = slope, shift, trial
    return gain, offset


def _bands(now: Image, expected: Image, seen: Image, height: int) -> Image | None:
    """(height, 1) float32 gains of the rows where they explain the picture far better than one light does."""
    if not seen.any(axis=1).all() or len(seen) < 4:
        return None
    ratio = (now + np.float32(4.0)) / (expected + np.float32(4.0))
    if seen.all():
        both = [(ratio.shape[1] - 1) // 2, ratio.shape[1] // 2]
        rows = np.partition(ratio, both, axis=1)[:, both].mean(axis=1)
    else:
        rows = np.nanmedian(np.where(seen, ratio, np.float32(np.nan)), axis=1)
    if float(np.abs(rows - 1.0).max()) < LEAST_FLICKER:
        return None
    before = median(np.abs(now - expected)[seen])
    after = median(np.abs(now - (expected + 4.0) * rows[:, None] + 4.0)[seen])
    if after > 0.7 * before:
        return None
    middles = (np.arange(len(rows)) + 0.5) * CELL - 0.5
    gains: Image = np.interp(np.arange(height), middles, rows).astype(np.float32)
    return gains[:, None]


def changed(apart: Image, seen: Image) -> tuple[float, int]:
    """The share of the cells `seen` (bool) that differ by too much, and of nine areas those of which a quarter does."""
    changed = (apart > CHANGED) & seen
    share = np.count_nonzero(changed) / np.count_nonzero(seen)
    if share <= 0.1 or min(changed.shape) < 3:
        return share, 0
    ninths = cv2.resize(changed.astype(np.float32), (3, 3), interpolation=cv2.INTER_AREA)
    return share, int(np.count_nonzero(ninths > 0.25))


def match(now: Image, was: Image, seen: Image, height: int) -> Light:
    """Compares cells of this frame with the scene's, both (h, w) float32; `seen` (bool) leaves out what is masked."""
    whole = bool(seen.all())
    fitted = _fitted(now.ravel(), was.ravel()) if whole else _fitted(now[seen], was[seen])
    gain, offset = fitted or (1.0, 0.0)
    expected = was * np.float32(gain) + np.float32(offset)
    rows = None
    apart = np.abs(now - expected)
    if fitted is not None and median(apart.ravel() if whole else apart[seen]) >= FITS:
        rows = _bands(now, expected, seen, height)
        if rows is not None:
            expected *= rows[CELL // 2 :: CELL][: len(expected)]
            apart = np.abs(now - expected)
    share, areas = changed(apart, seen)
    return Light(gain, offset, share, areas, apart, rows)
