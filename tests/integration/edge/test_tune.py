"""What `edge-agent tune` says of a street with a flag that waves at its upper right and people who walk below it."""

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from edge_agent.cli import main

WIDTH, HEIGHT, FPS, SECONDS = 320, 180, 10, 70
CONFIG = """
box: box-01
data: data
broker: {host: localhost, password_file: box.secret}
collector: {url: "http://localhost:1"}
cameras:
  - name: gate
    source: street.mp4
    motion:
      masks:
        - [[0, 0.9], [0.1, 0.9], [0.1, 1], [0, 1]]
"""


def _street(path: Path) -> None:
    random = np.random.default_rng(5)
    scene = random.integers(60, 160, (HEIGHT // 20, WIDTH // 20)).repeat(20, 0).repeat(20, 1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * FPS):
            now_s = number / FPS
            picture = np.clip(scene + random.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
            if now_s > 8 and now_s % 12 < 3:
                x = round(270 + 10 * np.sin(4 * now_s))
                cv2.rectangle(picture, (x, 20), (x + 20, 40), 240, -1)
            if now_s > 8 and 6 <= now_s % 30 < 9:
                x = round(20 + 80 * (now_s % 30 - 6))
                cv2.rectangle(picture, (x, 90), (x + 18, 150), 20, -1)
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tune")
    _street(made / "street.mp4")
    (made / "edge.yaml").write_text(CONFIG)
    secret = made / "box.secret"
    secret.write_text("s" * 32)
    secret.chmod(0o600)
    return made


def _tune(folder: Path, *words: str):
    return CliRunner().invoke(main, ["tune", "gate", "--config", str(folder / "edge.yaml"), "--for", "2m", *words])


def test_it_finds_the_flag_and_what_it_proposes_holds_when_it_is_pasted(folder):
    said = json.loads(_tune(folder, "--json").stdout)
    mask = next(proposal for proposal in said["proposals"] if proposal["change"] == "mask")
    x0, y0, x1, y1 = mask["box"]
    assert 0.7 < x0 < 0.85
    assert y0 < 0.12
    assert x1 > 0.92
    assert 0.2 < y1 < 0.35
    assert mask["of"] == said["alarms"]
    assert said["rerun"] is True
    pasted = yaml.safe_load(mask["yaml"])["motion"]["masks"]
    assert pasted[0] == [[0, 0.9], [0.1, 0.9], [0.1, 1], [0, 1]]
    config = yaml.safe_load(CONFIG)
    config["cameras"][0]["motion"]["masks"] = pasted
    (folder / "pasted.yaml").write_text(yaml.safe_dump(config))
    command = ["tune", "gate", "--config", str(folder / "pasted.yaml"), "--for", "2m", "--json"]
    again = json.loads(CliRunner().invoke(main, command).stdout)
    assert again["alarms"] == mask["left"] < mask["of"]
    assert again["staying"] == 0


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("vi", ["lần báo động", "ở phía trên bên phải", "edge.yaml"]),
        ("en", ["alarms", "at the upper right", "edge.yaml"]),
    ],
)
def test_it_says_so_in_both_languages_with_a_picture(folder, language, words):
    picture = folder / f"{language}.jpg"
    result = _tune(folder, "--lang", language, "--picture", str(picture))
    assert result.exit_code == 0
    assert all(word in result.stdout for word in words)
    assert cv2.imread(str(picture)).shape[1] == 640


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["tune", "yard"], 2, "trong cấu hình không có camera 'yard'; có: gate"),
        (["tune", "gate", "--for", "3h"], 2, "--for 3h: từ 1s đến 2h"),
        (["tune", "gate", "--for", "soon"], 2, "--for"),
        (["tune", "gate", "--source", "/nowhere.mp4"], 1, "/nowhere.mp4"),
        (["tune", "gate", "--for", "5s", "--picture", "/nowhere/out.jpg"], 1, "/nowhere/out.jpg"),
        (["tune", "gate", "--for", "5s", "--picture", "/tmp/out.xyz"], 2, "hãy đặt tên kết thúc bằng .jpg"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(folder, words, exit_code, says):
    result = CliRunner().invoke(main, [*words, "--config", str(folder / "edge.yaml")])
    assert result.exit_code == exit_code
    assert says in result.output
