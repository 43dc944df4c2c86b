"""Writes words of any language on a picture: OpenCV's old letters have no marks, its built-in font of outlines has."""

import unicodedata

import cv2
import numpy as np
from numpy.typing import NDArray

_WHITE, _PLATE_SHARE = (255, 255, 255), 0.65
_WEIGHT = 500
_MENDED = str.maketrans({"ờ": "ơ\u0300", "ỡ": "ơ\u0303"})
"""OpenCV 5.0 draws ờ as ớ and ỡ as õ, unless the mark stands apart; all other letters of Vietnamese are right."""


class Lettering:
    """Letters of `height_px`, white on a darkened plate: readable on any picture."""

    def __init__(self, height_px: int) -> None:
        self._font = cv2.FontFace("uni")
        self._size = height_px
        self.line_px = round(1.5 * height_px)
        """How high a plate is."""

    def width(self, text: str) -> int:
        """How wide the plate of `text` is, in pixels."""
        _, _, wide, _ = cv2.getTextSize(
            (1, 1), _drawable(text), (0, 0), self._font, self._size, _WEIGHT, cv2.PUT_TEXT_ALIGN_LEFT
        )
        return int(wide) + self._size

    def put(
        self, picture: NDArray[np.uint8], text: str, left: int, top: int, colour: tuple[int, int, int] = _WHITE
    ) -> None:
        """Write `text` into the picture, its plate's corner at (left, top) or moved so far that it is seen whole."""
        height, width = picture.shape[:2]
        left = max(0, min(left, width - self.width(text)))
        top = max(0, min(top, height - self.line_px))
        plate = picture[top : top + self.line_px, left : left + self.width(text)]
        plate[:] = plate * (1 - _PLATE_SHARE)
        at = (left + self._size // 2, top + round(1.12 * self._size))
        cv2.putText(picture, _drawable(text), at, colour, self._font, self._size, _WEIGHT)


def _drawable(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_MENDED)
