"""What is done to cameras, done to pictures: each takes a picture and the seconds since it was done, and gives one."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.detection.videos import Picture

Deed = Callable[[Picture, float], Picture]


def hand(picture: Picture, at_s: float) -> Picture:
    """A hand or bag on the lens: dim, smooth, a little lighter where light comes through, with a sensor's noise."""
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    glow = 45 + 30 * columns / width + 15 * rows / height
    noise = np.random.default_rng(round(at_s * 1000)).standard_normal(picture.shape, dtype=np.float32) * 2
    return np.clip(glow + noise, 0, 255).astype(np.uint8)


def cloth(picture: Picture, at_s: float) -> Picture:
    """A cloth before the lens: bright, out of focus, what lies behind shines through a little."""
    behind = cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 12)
    noise = np.random.default_rng(round(at_s * 1000)).standard_normal(picture.shape, dtype=np.float32) * 2
    return np.clip(110 + 0.15 * behind.astype(np.float32) + noise, 0, 255).astype(np.uint8)


def turned(picture: Picture, _at_s: float) -> Picture:
    """Turned by a third of the picture; what comes into view is the other side mirrored."""
    return np.roll(np.hstack((picture, picture[:, ::-1])), -round(picture.shape[1] * 0.35), axis=1)[
        :, : picture.shape[1]
    ]


def tilted(picture: Picture, _at_s: float) -> Picture:
    """Knocked: down by a quarter, and rolled by twelve degrees."""
    height, width = picture.shape
    move = cv2.getRotationMatrix2D((width / 2, height / 2), 12, 1.0)
    move[1, 2] -= height * 0.25
    return np.asarray(cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REFLECT))


def defocused(picture: Picture, _at_s: float) -> Picture:
    """Out of focus by a hundredth of the width."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[1] * 0.01))


def smeared(picture: Picture, _at_s: float) -> Picture:
    """Spray or grease on the lens: hardly more than light and dark."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[1] * 0.04))


def black(picture: Picture, at_s: float) -> Picture:
    """No light at all, and a sensor's noise."""
    noise = np.random.default_rng(round(at_s * 1000)).standard_normal(picture.shape, dtype=np.float32) * 2
    return np.clip(8 + noise, 0, 255).astype(np.uint8)


def white(picture: Picture, _at_s: float) -> Picture:
    """A lamp held to the lens."""
    return np.full_like(picture, 250)


class Frozen:
    """The same picture again and again."""

    def __init__(self) -> None:
        self._kept: Picture | None = None

    def __call__(self, picture: Picture, _at_s: float) -> Picture:
        if self._kept is None:
            self._kept = picture
        return self._kept


def deeds() -> dict[str, tuple[str, Deed]]:
    """By name: the kind that is to be told, and the deed, new for each recording."""
    return {
        "hand": ("covered", hand),
        "cloth": ("covered", cloth),
        "turned": ("turned", turned),
        "tilted": ("turned", tilted),
        "defocused": ("defocused", defocused),
        "smeared": ("defocused", smeared),
        "black": ("black", black),
        "white": ("white", white),
        "frozen": ("frozen", Frozen()),
    }
