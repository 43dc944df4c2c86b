"""`edge-agent discover` over real multicast and SOAP: cameras, their streams, and one that moved, by its serial."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli import main
from edge_agent.config import load_edge_config
from tests.support.onvif_camera import PASSWORD, USER, OnvifCamera

CONFIG = """# typed by hand
box: box-1
data: data
broker: {{host: 127.0.0.1, password_file: box.secret}}
collector: {{url: 'http://127.0.0.1:8080'}}
cameras:
  - name: gate   # over the door
    source: rtsp://{host}:8554/main
    sub: rtsp://{host}:8554/sub
    serial: DS-0042
"""


@pytest.fixture
def camera() -> Iterator[OnvifCamera]:
    made = OnvifCamera()
    yield made
    made.close()


def discover(folder: Path, *arguments: str) -> Result:
    secret = folder / "camera.secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o600)
    command = ["discover", "--interface", "127.0.0.1", "--for", "0.6", "--config", str(folder / "edge.yaml")]
    login = ["--user", USER, "--password-file", str(secret)]
    return CliRunner().invoke(main, [*command, *login, *arguments])


def test_a_camera_is_found_with_its_streams_and_hears_no_password(camera: OnvifCamera, tmp_path: Path) -> None:
    done = discover(tmp_path, "--json")
    assert done.exit_code == 0, done.output
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (found["maker"], found["serial"], found["problem"]) == ("Hik", "DS-0042", None)
    assert [(each["url"], each["width"], each["key_frame_every"]) for each in found["streams"]] == [
        ("rtsp://127.0.0.1/main", 2560, 50),
        ("rtsp://127.0.0.1/sub", 640, 50),
    ], "at the address where it answers, not at the one that it believes to have"
    assert camera.heard
    assert not any(PASSWORD in heard for heard in camera.heard)


def test_people_get_lines_to_paste_in_their_language(camera: OnvifCamera, tmp_path: Path) -> None:
    assert "số máy DS-0042" in discover(tmp_path).stdout
    text = discover(tmp_path, "--lang", "en").stdout
    assert 'source: rtsp://127.0.0.1/main\n      sub: rtsp://127.0.0.1/sub\n      serial: "DS-0042"' in text
    assert "a key frame every 50 frames" in text


def test_a_wrong_login_is_said_in_words(camera: OnvifCamera, tmp_path: Path) -> None:
    done = discover(tmp_path, "--user", "somebody", "--lang", "en")
    assert "asks for its ONVIF user and password: add --user NAME" in done.stdout


def test_a_camera_whose_streams_have_no_address_is_told_with_its_reason(tmp_path: Path) -> None:
    camera = OnvifCamera(rtsp="rtsp://[10.0.0.2/main")
    try:
        done = discover(tmp_path, "--json")
    finally:
        camera.close()
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (found["serial"], found["streams"]) == ("DS-0042", [])
    assert found["problem"].startswith("its stream's address makes no sense: ")


def test_an_answer_that_leads_nowhere_does_not_hide_the_others(camera: OnvifCamera, tmp_path: Path) -> None:
    class Lost(OnvifCamera):
        service = "http://[nowhere/onvif"

    other = Lost(serial="ANOTHER")
    try:
        done = discover(tmp_path, "--json")
    finally:
        other.close()
    assert [json.loads(line)["serial"] for line in done.stdout.splitlines()] == ["DS-0042"]


def test_where_nobody_answers_it_says_what_to_look_at(tmp_path: Path) -> None:
    done = discover(tmp_path)
    assert done.exit_code == 1
    assert "Không có camera nào trả lời" in done.stderr


def test_a_camera_that_moved_is_found_by_its_serial_and_written_down_on_a_persons_word(
    camera: OnvifCamera, tmp_path: Path
) -> None:
    path = tmp_path / "edge.yaml"
    path.write_text(CONFIG.format(host="192.168.1.20"), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert "đã đổi địa chỉ: 192.168.1.20 → 127.0.0.1" in discover(tmp_path).stdout
    assert path.read_text(encoding="utf-8") == before
    done = discover(tmp_path, "--mend")
    assert done.exit_code == 0, done.output
    assert path.read_text(encoding="utf-8") == CONFIG.format(host="127.0.0.1"), "comments stay as they were typed"
    (gate,) = load_edge_config(path).cameras
    assert gate.sub == "rtsp://127.0.0.1:8554/sub"
    assert "đã đổi địa chỉ" not in discover(tmp_path).stdout


def test_an_address_that_stands_there_twice_is_left_to_a_person(camera: OnvifCamera, tmp_path: Path) -> None:
    path = tmp_path / "edge.yaml"
    path.write_text("# rtsp://192.168.1.20:8554/main\n" + CONFIG.format(host="192.168.1.20"), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    done = discover(tmp_path, "--mend")
    assert done.exit_code == 1
    assert "stands there 2 times. Write 127.0.0.1 by hand" in done.stderr
    assert path.read_text(encoding="utf-8") == before


def test_another_camera_that_answers_is_not_taken_for_the_one_that_is_gone(tmp_path: Path) -> None:
    camera = OnvifCamera(serial="ANOTHER")
    try:
        (tmp_path / "edge.yaml").write_text(CONFIG.format(host="192.168.1.20"), encoding="utf-8")
        done = discover(tmp_path, "--mend")
    finally:
        camera.close()
    assert "Camera gate: không thấy số máy của nó trong mạng này" in done.stderr
