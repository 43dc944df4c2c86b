"""The overlay: an MP4 of each drawn picture, with words that keep their marks; a failed one leaves no file."""

import unicodedata
from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.recording.lettering import Lettering
from edge_agent.recording.overlay import Moving, OverlayWriter

GREY = np.full((180, 320, 3), 128, np.uint8)
SQUARE = ((0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0))


def _plate(text: str) -> bytes:
    picture = np.full((60, 200, 3), 128, np.uint8)
    Lettering(32).put(picture, text, 0, 0)
    return picture.tobytes()


def test_every_letter_of_vietnamese_is_drawn_with_its_own_marks() -> None:
    vowels, tones = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY", ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
    letters = [*(unicodedata.normalize("NFC", vowel + tone) for vowel in vowels for tone in tones), *"dđDĐ?–"]
    drawn: dict[bytes, list[str]] = {}
    for letter in letters:
        drawn.setdefault(_plate(letter), []).append(letter)
    assert [same for same in drawn.values() if len(same) > 1] == []


def test_a_name_is_drawn_alike_however_its_marks_are_coded() -> None:
    assert _plate("đường vào") == _plate(unicodedata.normalize("NFD", "đường vào"))


@pytest.mark.parametrize("at", [(-50, -50), (500, 500), (190, 0)])
def test_words_at_the_rim_are_seen_whole(at: tuple[int, int]) -> None:
    lettering = Lettering(18)
    picture = np.full((40, 200, 3), 128, np.uint8)
    lettering.put(picture, "cổng", *at)
    dark = np.argwhere((picture < 60).all(axis=2))
    assert np.ptp(dark[:, 1]) + 1 == lettering.width("cổng")
    assert np.ptp(dark[:, 0]) + 1 == lettering.line_px


def test_every_picture_is_in_the_file_at_its_time_and_small_ones_are_enlarged(tmp_path: Path) -> None:
    writer = OverlayWriter(tmp_path / "out.mp4", [("cổng", SQUARE)], [SQUARE])
    for t_s in (0.0, 0.1, 0.1, 0.4):  # streams repeat stamps
        writer.write(GREY, t_s, [Moving((0.1, 0.1, 0.2, 0.2), "0,93")], "BÁO ĐỘNG")
    writer.close()
    with av.open(str(tmp_path / "out.mp4")) as film:
        frames = list(film.decode(video=0))
    assert [round(frame.time, 1) for frame in frames] == [0.0, 0.1, 0.1, 0.4]
    picture = frames[-1].to_ndarray(format="bgr24")
    assert picture.shape == (360, 640, 3)
    assert picture[300, 500].max() < 70  # masked
    blue, _, red = picture[54, 64].tolist()
    assert blue < 90
    assert red > 150  # the box is yellow
    assert abs(int(picture[200, 100, 1]) - 128) < 8


def test_odd_and_changing_sizes_are_taken(tmp_path: Path) -> None:
    writer = OverlayWriter(tmp_path / "out.mp4")
    for number, shape in enumerate([(481, 721, 3), (120, 160, 3)]):
        writer.write(np.full(shape, 128, np.uint8), float(number), [], "yên")
    writer.close()
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert [(frame.width, frame.height) for frame in film.decode(video=0)] == [(720, 480)] * 2


@pytest.mark.parametrize("name", ["no/such/out.mp4", "."])
def test_where_it_cannot_be_written_is_told_with_its_name(tmp_path: Path, name: str) -> None:
    writer = OverlayWriter(tmp_path / name)
    with pytest.raises(OSError, match=r"No such file|Is a directory") as raised:
        writer.write(GREY, 0.0, [], "")
    assert raised.value.filename == str(tmp_path / name)
    writer.close()


def test_without_a_picture_no_file_is_made(tmp_path: Path) -> None:
    OverlayWriter(tmp_path / "out.mp4").close()
    assert not list(tmp_path.iterdir())
