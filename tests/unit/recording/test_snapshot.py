import cv2
import numpy as np
import pytest

from edge_agent.recording.snapshot import draw_snapshot


def _noise(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(1080, 1920), (360, 640), (48, 64), (2160, 3840), (1920, 1080)])
def test_even_the_worst_picture_fits_the_budget(size: tuple[int, int]) -> None:
    jpeg = draw_snapshot(_noise(*size), (0.2, 0.2, 0.5, 0.6))
    assert len(jpeg) <= 40 * 1024
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape[1] <= 960
    assert shown.shape[1] / shown.shape[0] == pytest.approx(size[1] / size[0], rel=0.02)


def test_the_moving_region_is_drawn_where_it_is_and_the_frame_itself_is_left_alone() -> None:
    picture = np.full((360, 640, 3), 100, np.uint8)
    before = picture.copy()
    jpeg = draw_snapshot(picture, (0.25, 0.25, 0.75, 0.75))
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[90, 320, 2] > 200
    assert abs(int(shown[180, 320, 2]) - 100) < 10
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("box", [None, (0.0, 0.0, 1.0, 1.0), (-0.5, 0.2, 1.7, 0.4), (0.5, 0.5, 0.5, 0.5)])
def test_any_box_is_drawn_without_complaint(box: tuple[float, float, float, float] | None) -> None:
    assert draw_snapshot(_noise(120, 160), box).startswith(b"\xff\xd8")


def test_a_budget_that_nothing_fits_in_is_refused() -> None:
    with pytest.raises(ValueError, match="fits in 100 bytes"):
        draw_snapshot(_noise(480, 640), None, max_bytes=100)
