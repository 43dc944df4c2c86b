"""A card is flashed, its box starts for the first time, the server follows it; then somebody steals the card.

The real programs; the first start is what vonggac-enrol.service does (tests/system/test_package.py goes the whole way,
with the package in a Debian of its own).
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.certified import Certified
from tests.support.system import program
from tests.support.walks import film_walks
from vonggac.daemon.bundles import BundleUnusable, facts_of, read_bundle

CAMERA_PASSWORD, PHRASE = "mat-khau-camera-KXQ7", "mat-khau-wifi-9Z"


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Certified]:
    made = Certified(tmp_path, "nats")
    yield made
    made.kill()


def flashed(post: Certified, folder: Path, *camera: str) -> Path:
    """The card of box-1."""
    card = folder / "bootfs"
    card.mkdir()
    (card / "config.txt").touch()
    (folder / "vonggac-agent_0.1.0~deb13_arm64.deb").write_bytes(b"!<arch>\n")
    for name, text in (("wifi", PHRASE), ("gate", CAMERA_PASSWORD)):
        (folder / f"{name}.secret").write_text(text)
        (folder / f"{name}.secret").chmod(0o600)
    post.run(
        "box", "add", "box-1", "--site", "Ngõ 12", "--commune", "Xã Thử", "--bundle", str(folder / "box-1.bundle"),
        "--camera", *camera,
    )  # fmt: skip
    post.run(
        "box", "flash", "box-1", "--boot", str(card), "--package", str(folder), "--wifi", "Quán",
        "--wifi-password-file", str(folder / "wifi.secret"), "--bundle", str(folder / "box-1.bundle"),
    )  # fmt: skip
    return card


def first_start(folder: Path, card: Path, name: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    """What the unit of a flashed box runs; configuration and data under `name`."""
    command = [program("edge-agent"), "enrol", str(card / "vonggac"), "--card", str(card)]
    places = ["--config", str(folder / f"{name}.yaml"), "--data", str(folder / name)]
    return subprocess.run([*command, *places], capture_output=True, text=True, check=False, timeout=within_s)


def watched(post: Certified, folder: Path, span: str, language: str = "vi") -> subprocess.CompletedProcess[str]:
    command = [program("collector"), "box", "watch", "box-1", "--bundle", str(folder / "box-1.bundle")]
    rest = ["--for", span, "--lang", language, "--config", str(folder / "collector.yaml")]
    return subprocess.run([*command, *rest], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.timeout(180)
def test_a_flashed_box_is_followed_until_it_is_accepted_and_its_card_then_opens_nothing(
    post: Certified, tmp_path: Path
) -> None:
    film_walks(tmp_path / "street.mp4", ((1.0, 3.0),), 6.0)
    card = flashed(post, tmp_path, "gate=street.mp4?loop=1")
    copied = tmp_path / "copied"
    shutil.copytree(card, copied)
    post.serve()
    nothing = watched(post, tmp_path, "1s", "en")
    assert (nothing.returncode, "has the box power and a network" in nothing.stderr) == (1, True)

    started = first_start(tmp_path, card, "box-1")
    assert started.returncode == 0, started.stderr
    post.start_enrolled(tmp_path / "box-1.yaml")
    followed = watched(post, tmp_path, "60s")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    told = [line[10:] for line in followed.stdout.splitlines()[1:] if "clock_unset" not in line]
    assert told == [
        "hộp đã đăng ký, có chứng chỉ",
        f"Đã xóa mã và mật khẩu trong {tmp_path / 'box-1.bundle'}",
        "nhịp báo đầu tiên",
        "hình đầu tiên của camera gate",
        "đạt: hộp và mọi camera hoạt động tốt",
    ]

    names = sorted(str(path.relative_to(card)) for path in card.rglob("*") if path.is_file())
    assert names == [
        "config.txt",
        "meta-data",
        "vonggac/SHA256SUMS",
        "vonggac/authority.pem",
        "vonggac/box.json",
        "vonggac/install.sh",
        "vonggac/vonggac-agent_0.1.0~deb13_arm64.deb",
    ]
    with pytest.raises(BundleUnusable, match="used before"):
        read_bundle(card / "vonggac")
    url, authority = facts_of(card / "vonggac").url, str(card / "vonggac" / "authority.pem")
    for method, path in (("GET", "/whoami"), ("POST", "/renew"), ("POST", "/upload/")):
        answer = requests.request(method, url + path, verify=authority, timeout=10, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status_code == 401
    thief = first_start(tmp_path, copied, "thief")
    assert (thief.returncode, "used before, with another key" in thief.stderr) == (1, True)
    assert not (tmp_path / "thief.yaml").exists()


def test_a_first_start_that_broke_off_after_enrolling_still_scrubs_the_card(post: Certified, tmp_path: Path) -> None:
    password = ("--password-file", f"gate={tmp_path / 'gate.secret'}")
    card = flashed(post, tmp_path, "gate=rtsp://xem@192.0.2.1/1", *password)
    assert (card / "vonggac" / "secrets" / "gate").read_text().strip() == CAMERA_PASSWORD
    before = tmp_path / "before"
    shutil.copytree(card, before)
    post.serve()
    assert first_start(tmp_path, card, "box-1").returncode == 0
    again = first_start(tmp_path, before, "box-1")  # the power went before the card was scrubbed
    assert (again.returncode, "enrolled with this bundle already" in again.stdout) == (0, True)
    assert not (before / "vonggac" / "token").exists()
    assert not (before / "vonggac" / "secrets").exists()
    assert not (before / "network-config").exists()


def test_neither_door_tells_what_it_is_made_of(post: Certified, tmp_path: Path) -> None:
    post.serve()
    authority = str(tmp_path / "server" / "identity" / "authority.pem")
    door = f"https://127.0.0.1:{post.door_port}"
    answers = [
        requests.get(post.url + path, timeout=10)
        for path in ("/healthz", "/login", "/nothing", "/api/v1/boxes", "/metrics")
    ]
    answers += [requests.get(door + path, timeout=10, verify=authority) for path in ("/healthz", "/enrol", "/nothing")]
    for answer in answers:
        told = "\n".join([*(f"{name}: {value}" for name, value in answer.headers.items()), answer.text]).lower()
        assert not re.search(
            r"uvicorn|starlette|python|nats|sqlite|openssl|traceback|\b\d+\.\d+\.\d+\b(?<!127\.0\.0)", told
        )
        assert "server" not in answer.headers
