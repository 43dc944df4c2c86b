"""`edge-agent detect` on a street in which somebody walks twice: words, JSON, overlay, masks, and what goes wrong."""

import json
from pathlib import Path

import av
import cv2
import pytest
from click.testing import CliRunner

from edge_agent.cli import main
from tests.support.small_disk import small_disk
from tests.support.walks import film_walks

CONFIG = """
box: box-01
data: data
broker: {host: localhost, password_file: box.secret}
collector: {url: "http://localhost:1"}
cameras:
  - name: gate
    source: street.mp4
    motion:
      zones:
        - {name: Cổng trước, area: [[0, 0.2], [1, 0.2], [1, 1], [0, 1]]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("detect")
    film_walks(made / "street.mp4", [(4.0, 7.0), (13.0, 16.0)], 20.0)
    (made / "edge.yaml").write_text(CONFIG)
    (made / "box.secret").write_text("s" * 32)
    (made / "box.secret").chmod(0o600)
    (made / "empty.mp4").touch()
    (made / "words.mp4").write_text("no film")
    return made


def _detect(folder: Path, *words: str):
    return CliRunner().invoke(main, ["detect", *(word.replace("DIR", str(folder)) for word in words)])


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("vi", ["chỉ canh vùng: Cổng trước", "2. 0:1", "BÁO ĐỘNG, có chuyển động. Vùng: Cổng trước.", "2 lần báo"]),
        ("en", ["only these zones are watched: Cổng trước", "ALARM, motion. Zones: Cổng trước.", "alarms: 2."]),
    ],
)
def test_each_walk_is_told_with_why(folder, language, says):
    result = _detect(folder, "DIR/street.mp4", "--config", "DIR/edge.yaml", "--camera", "gate", "--lang", language)
    assert result.exit_code == 0
    assert [word for word in says if word not in result.stdout] == []


def test_scripts_get_a_line_an_episode_and_a_summary(folder):
    lines = [json.loads(line) for line in _detect(folder, "DIR/street.mp4", "--json").stdout.splitlines()]
    assert [round(line["start_s"]) for line in lines[:-1]] == [4, 13]
    assert all(line["kind"] == "motion" and not line["stays"] for line in lines[:-1])
    assert lines[-1]["summary"]["episodes"] == 2
    assert lines[-1]["summary"]["frames"] == 200


def test_an_overlay_and_masks_show_every_picture_with_its_time(folder):
    result = _detect(folder, "DIR/street.mp4", "--overlay", "DIR/out.mp4", "--masks", "DIR/masks/new")
    assert result.exit_code == 0
    with av.open(str(folder / "out.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 200
    masks = sorted((folder / "masks/new").iterdir())
    assert len(masks) == 200
    assert masks[55].name == "000055_0005.500s.png"
    walking, calm = cv2.imread(str(masks[55]), 0), cv2.imread(str(masks[100]), 0)
    assert walking.shape == (240, 320)
    assert walking.any()
    assert not calm.any()


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["DIR/nowhere.mp4"], 1, "Lỗi: DIR/nowhere.mp4: không có tệp này"),
        (["DIR/empty.mp4"], 1, "không phải đoạn phim đọc được"),
        (["DIR/words.mp4"], 1, "không phải đoạn phim đọc được"),
        (["DIR"], 1, "không phải đoạn phim đọc được"),
        (["DIR/words.mp4", "--lang", "en"], 1, "Error: The file DIR/words.mp4 is not a video that can be understood"),
        ([""], 1, "Không hiểu nguồn hình này"),
        (["DIR/street.mp4", "--overlay", "DIR/no/out.mp4"], 1, "Không ghi được DIR/no/out.mp4: không có thư mục đó."),
        (["DIR/street.mp4", "--overlay", "DIR"], 1, "Không ghi được DIR: đó là thư mục, hãy thêm tên tệp."),
        (["DIR/street.mp4", "--overlay", "DIR/street.mp4"], 2, "chính là đoạn phim đang xem"),
        (["DIR/street.mp4", "--masks", "DIR/words.mp4"], 1, "đã có tệp cùng tên"),
        (["DIR/street.mp4", "--masks", "DIR/words.mp4/deep", "--lang", "en"], 1, "something in the path is no folder"),
        (["DIR/street.mp4", "--camera", "gate"], 2, "--config và --camera phải đi cùng nhau."),
        (["DIR/street.mp4", "--config", "DIR/edge.yaml", "--camera", "yard"], 2, "không có camera 'yard'"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_language_that_was_chosen(folder, words, exit_code, says):
    result = _detect(folder, *words)
    assert result.exit_code == exit_code
    assert says.replace("DIR", str(folder)) in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("option", ["--overlay", "--masks"])
def test_a_full_disk_is_told_and_no_broken_film_stays(folder, tmp_path, option):
    with small_disk(tmp_path / "card", 64 * 1024) as disk:
        target = disk.folder / ("out.mp4" if option == "--overlay" else "masks")
        result = _detect(folder, "DIR/street.mp4", option, str(target))
        assert result.exit_code == 1
        assert "đĩa đầy" in result.output
        assert not (disk.folder / "out.mp4").exists()
