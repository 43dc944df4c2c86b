"""The parts of ./demo that decide something, and the truth of its scene."""

import json
import re
import string
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from deploy.demo.desk import events_of, percentile, wall_ms
from deploy.demo.figures import Path as Way
from deploy.demo.programs import Program, is_complaint
from deploy.demo.scene import LOOP_S, MOVERS, FramePainter
from deploy.demo.stage import Camera, Stage, camera_of
from deploy.demo.words import _TEXTS, Words
from tests.support.system import wait_for


@pytest.mark.parametrize(
    ("figures", "share", "expected"),
    [([], 0.5, None), ([7], 0.95, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.95, 95), ([9, 1, 5], 0.95, 9)],
)
def test_a_percentile_is_a_figure_that_was_measured(figures: list[int], share: float, expected: int | None) -> None:
    assert percentile(figures, share) == expected


def test_events_are_read_however_the_bytes_are_cut() -> None:
    feed = b'retry: 2000\n: here\n\nid: 4\nevent: episode\ndata: {"a":1}\n\n: beat\nevent: beat\ndata: {}\n\nid: 5\neve'
    whole = list(events_of(iter([feed])))
    assert whole == [("4", "episode", '{"a":1}'), ("", "beat", "{}")]
    assert list(events_of(feed[at : at + 1] for at in range(len(feed)))) == whole


def test_times_are_read_to_the_millisecond() -> None:
    assert wall_ms("2026-11-23T10:00:00.123Z") == 1795428000123


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"level": "error", "event": "gone"}', True),
        ('{"level": "critical", "event": "gone"}', True),
        ('{"level": "warning", "event": "no error here"}', False),
        ('{"event": "cut in the mid', False),
        ("ERROR uvicorn.error trouble", True),
        ("Traceback (most recent call last):", True),
        ("1795428000: New client connected", False),
    ],
)
def test_an_error_in_a_log_is_known(line: str, expected: bool) -> None:
    assert is_complaint(line) is expected


def test_a_camera_of_a_file_is_found_from_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a b.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert camera_of("hall=a b.mp4?loop=1") == Camera("hall", f"{tmp_path}/a b.mp4?loop=1")
    assert camera_of("door=rtsp://h/x?y=1") == Camera("door", "rtsp://h/x?y=1")
    assert camera_of("web=usb:0") == Camera("web", "usb:0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hall", "'hall': write NAME=SOURCE, such as door=rtsp://192.168.1.20/stream"),
        ("hall=", "'hall=': write NAME=SOURCE, such as door=rtsp://192.168.1.20/stream"),
        ("Hall=usb:0", "'Hall': a camera's name is 1–40 of a–z, 0–9, _ and -"),
        ("hall=/no/such.mp4", "/no/such.mp4: there is no such file"),
    ],
)
def test_a_wrong_camera_is_told_plainly(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        camera_of(text)


def test_a_program_that_dies_is_noticed_and_one_that_was_asked_to_end_is_not(tmp_path: Path) -> None:
    dies = Program("dies", ["/bin/sh", "-c", "echo ERROR it is over; exit 3"], tmp_path / "dies.log")
    dies.start()
    assert dies._process is not None
    dies._process.wait(10)
    assert dies.died()
    assert dies.complaints() == ["ERROR it is over", "dies ended by itself with exit code 3"]
    obeys = Program("obeys", ["/bin/sleep", "60"], tmp_path / "obeys.log")
    obeys.start()
    obeys.end(10)
    assert (obeys.died(), obeys.complaints()) == (False, [])


def test_both_languages_have_the_same_places_in_every_text() -> None:
    for key, texts in _TEXTS.items():
        places = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in texts]
        assert places[0] == places[1], key
    assert Words("vi")("clip", camera="ngõ", seconds=9.6) == "ngõ: đã lưu đoạn ghi 10 giây"


def test_the_scene_has_quiet_stretches_and_begins_and_ends_quiet() -> None:
    spans = sorted((mover.path.corners[0][0], mover.path.corners[-1][0]) for mover in MOVERS)
    assert spans[0][0] >= 5
    assert spans[-1][1] <= LOOP_S - 8
    quiet = [later[0] - earlier[1] for earlier, later in pairwise(spans) if later[0] > earlier[1]]
    assert quiet
    assert min(quiet) >= 8


def test_someone_who_walks_moves_legs_as_far_as_the_way_goes() -> None:
    way = Way(((0.0, 0.0), (1.0, 100.0), (2.0, 60.0)))
    assert way.walked(0.0) == 0
    assert way.walked(1.5) == pytest.approx(120)
    assert way.walked(9.0) == pytest.approx(140)


def test_a_quiet_frame_shows_nobody_and_a_busy_one_shows_who_is_there() -> None:
    painter = FramePainter()
    quiet, nobody = painter.paint(3.0)
    busy, somebody = painter.paint(10.0)
    again, _ = painter.paint(3.0)
    assert (nobody, somebody) == ([], ["woman in a conical hat"])
    assert quiet.shape == (1620, 1920)

    def differs(a: np.ndarray, b: np.ndarray) -> float:  # type: ignore[type-arg]
        street = (slice(430, 1000), slice(0, 1400))  # without leaves, clock
        return float(np.mean(np.abs(a[street].astype(int) - b[street].astype(int)) > 24))

    assert differs(quiet, busy) > 0.005
    assert differs(quiet, again) < 0.001  # she has left nothing behind


def test_configurations_are_quoted_so_that_any_folder_will_do(tmp_path: Path) -> None:
    folder = tmp_path / 'vọng gác: "mẫu" #1'
    stage = Stage(folder, 8080, own_broker=True)
    stage.set_up_agent([Camera("street", f"{folder}/a.mp4?loop=1", f"{folder}/b.mp4?loop=1")])
    read = yaml.safe_load((folder / "edge.yaml").read_text(encoding="utf-8"))
    assert read["data"] == str(folder / "agent")
    assert read["cameras"] == [{"name": "street", "source": f"{folder}/a.mp4?loop=1", "sub": f"{folder}/b.mp4?loop=1"}]
    assert json.dumps(read["broker"]["password_file"]) == '"box.secret"'


def test_a_program_that_ends_in_order_is_started_again_and_one_that_fails_is_not(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    told = Program("told", ["/bin/sh", "-c", f"echo again >> {runs}"], tmp_path / "told.log")
    fails = Program("fails", ["/bin/sh", "-c", f"echo failed >> {runs}; exit 3"], tmp_path / "fails.log")
    for program in (told, fails):
        program.start()
        wait_for(lambda: program.exit_code is not None, program.name)  # noqa: B023 - called before the next turn
        program.start_again()
        wait_for(lambda: program.exit_code is not None, program.name)  # noqa: B023
    assert runs.read_text().split() == ["again", "again", "failed"]
