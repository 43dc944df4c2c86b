"""Planted secrets: whatever a whole run writes, prints, answers or shows in the process list holds none of them.

And the stolen card: what stands on the bundle's stick after the first start lets nobody in.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.support.certified import Certified
from tests.support.system import program, wait_for
from vonggac.daemon.bundles import BundleUnusable, read_bundle

CAMERA_PASSWORD = "mat-khau-camera-KXQ7"
AUTHORITY_PASSWORD = "mot-mat-khau-du-dai-cho-khoa"
PAGES = ("/", "/boxes", "/boxes/box-1", "/audit", "/metrics", "/api/v1/boxes", "/api/v1/cameras", "/api/v1/audit")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Certified]:
    made = Certified(tmp_path, "nats")
    yield made
    made.kill()


def process_lines() -> str:
    """Command lines, as anybody on the machine sees them."""
    lines = []
    for process in psutil.process_iter(["cmdline"]):
        lines += process.info["cmdline"] or []
    return "\n".join(lines)


@pytest.mark.timeout(180)
def test_no_secret_leaves_its_file(post: Certified, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    password = tmp_path / "gate.password"
    password.write_text(CAMERA_PASSWORD)
    password.chmod(0o600)
    said = post.run(
        "box",
        "add",
        "box-1",
        "--site",
        "S",
        "--commune",
        "C",
        "--camera",
        "gate=rtsp://xem@127.0.0.1:9/1",
        "--password-file",
        f"gate={password}",
        "--bundle",
        str(bundle),
    )
    token = (bundle / "token").read_text().strip()
    copied = {path.name: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    post.serve()
    post.sign_in()
    config = post.enrol("box-1", bundle)
    agent = post.start_enrolled(config)
    wait_for(lambda: post.api("boxes")[0]["heartbeat"], "a heartbeat", 30)
    wait_for(lambda: agent.lines("warning"), "the camera to be missed", 30)

    check = subprocess.run(
        [program("edge-agent"), "check", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    again = subprocess.run(  # the thief's copy of the whole bundle, and its token at the door
        [
            program("edge-agent"),
            "enrol",
            str(bundle),
            "--config",
            str(tmp_path / "x.yaml"),
            "--data",
            str(tmp_path / "x"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert again.returncode == 1
    (tmp_path / "thief" / "secrets").mkdir(parents=True)
    for name, data in copied.items():
        folder = tmp_path / "thief" / ("secrets" if name == "gate" else "")
        (folder / name).write_bytes(data)
    thief = subprocess.run(
        [
            program("edge-agent"), "enrol", str(tmp_path / "thief"),
            "--config", str(tmp_path / "y.yaml"), "--data", str(tmp_path / "y"),
        ],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (thief.returncode, "used before, with another key" in thief.stderr) == (1, True), thief.stderr
    assert not (tmp_path / "y.yaml").exists()

    keys = [
        line
        for file in (tmp_path / "box-1" / "identity" / "tls.pem", tmp_path / "box-1" / "identity" / "sign.key")
        for line in file.read_text().split("-----END")[0].splitlines()[1:]
        if len(line) > 40
    ]
    secrets = [CAMERA_PASSWORD, AUTHORITY_PASSWORD, token, *keys]
    seen = {
        "what `box add` printed": said,
        "what `check` printed": check.stdout + check.stderr,
        "what `enrol` printed": again.stdout + again.stderr + thief.stdout + thief.stderr,
        "the collector's log": (tmp_path / "collector.log").read_text(),
        "the agent's log": agent.log.read_text(),
        "the broker's log and configuration": "".join(
            path.read_text(errors="replace") for path in (tmp_path / "server" / "broker").glob("nats.*")
        ),
        "the process list": process_lines(),
        "the box's configuration": config.read_text(),
        "the database": (tmp_path / "server" / "collector.sqlite").read_bytes().decode("latin-1"),
        "the database's log": "".join(
            path.read_bytes().decode("latin-1") for path in (tmp_path / "server").glob("collector.sqlite-wal")
        ),
        **{page: post.session.get(post.url + page, timeout=10).text for page in PAGES},
    }
    assert "box-1" in seen["/boxes"]
    found = [f"{secret[:12]}… in {where}" for where, text in seen.items() for secret in secrets if secret in text]
    assert found == []
    assert post.stop() == {"box-1": 0, "collector": 0}


@pytest.mark.timeout(120)
def test_what_stands_on_the_stick_after_the_first_start_lets_nobody_in(post: Certified, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    post.run(
        "box", "add", "box-1", "--site", "S", "--commune", "C",
        "--camera", f"gate=rtsp://xem:{CAMERA_PASSWORD}@127.0.0.1:9/1", "--bundle", str(bundle),
    )  # fmt: skip
    post.serve()
    post.enrol("box-1", bundle)
    left = b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())
    assert CAMERA_PASSWORD.encode() not in left
    assert b"PRIVATE KEY" not in left
    facts = json.loads((bundle / "box.json").read_text())
    with pytest.raises(BundleUnusable, match="used before"):
        read_bundle(bundle)
    wanted = {"v": 1, "box": "box-1", "csr": "x", "signing_key": "0" * 64, "signature": "0" * 128}
    for text in re.findall(rb"[A-Za-z0-9_-]{43,64}", left):  # every word that could be a token
        answer = requests.post(
            f"{facts['url']}/enrol",
            json=wanted | {"token": text.decode()[:43]},
            verify=str(bundle / "authority.pem"),
            timeout=10,
        )
        assert answer.status_code in (400, 403)
    for method, path in (("GET", "/whoami"), ("POST", "/renew"), ("POST", "/upload/")):
        answer = requests.request(
            method,
            facts["url"] + path,
            verify=str(bundle / "authority.pem"),
            timeout=10,
            headers={"Tus-Resumable": "1.0.0"},
        )
        assert answer.status_code == 401
