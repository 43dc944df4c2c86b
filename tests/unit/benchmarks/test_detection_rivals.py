"""What is made of what the rivals keep: numbers of pictures, and episodes."""

import cv2
import numpy as np

from benchmarks.detection.rivals import BAND, episodes_of, number_of, numbered


def test_the_number_of_a_picture_is_read_from_the_band_below_it_after_compression() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (245, 327)).astype(np.uint8)
    given = [(n / 10, picture) for n in range(300)]
    made = list(numbered(given))
    assert made[0][1].shape == (240 + BAND, 320)
    for number in (0, 1, 170, 299):
        packed = cv2.imencode(".jpg", made[number][1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        assert number_of(np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))) == number


def test_gaps_under_three_seconds_are_joined() -> None:
    assert episodes_of([1.0, 3.5, 6.5, 10.0]) == [(1.0, 3.5), (6.5, 6.5), (10.0, 10.0)]
