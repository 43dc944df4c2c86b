"""`./demo` as a person starts it, but for the installing: real broker, collector and agent; motion to stored clip."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "deploy.demo", "--no-browser", "--lang", "en"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def children_of(pid: int) -> set[int]:
    """Processes that name this one as their parent."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if parent == pid:
            found.add(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.timeout(180)
def test_motion_becomes_an_event_an_alert_and_a_stored_clip(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--for", "22s", "--data", str(tmp_path / "a folder")],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert (told["boxes"], told["cameras"], told["errors"]) == (1, 1, 0), done.stderr[-3000:]
    assert told["episodes"] >= 1
    assert told["clips"] >= told["episodes"]
    assert told["alerts"] >= 1
    assert told["motion_to_alert_ms"]["p95"] <= 1500


@pytest.mark.timeout(180)
def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path) -> None:
    log = tmp_path / "said"
    with log.open("wb") as said:
        demo = subprocess.Popen(
            [*COMMAND, "--data", str(tmp_path / "data")],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=said, start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + 120
    while b"Login" not in log.read_bytes():
        assert demo.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
    programs = children_of(demo.pid)
    programs |= {child for program in programs for child in children_of(program)}
    assert len(programs) == 3  # collector, its broker, agent
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0, log.read_text()
    assert json.loads(out)["errors"] == 0, log.read_text()
    assert not [program for program in programs if is_alive(program)]


def test_a_port_that_is_taken_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port), "--data", str(tmp_path)],
            env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"--port {port}: another program listens there. Leave --port out.\n"
