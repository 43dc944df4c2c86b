"""What is told to systemd and to its journal."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vonggac.daemon import journal
from vonggac.daemon.logs import configure_logs, get_logger
from vonggac.daemon.systemd import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of the line."""
    path = str(tmp_path / "notify") if request.param == "file" else f"@vonggac-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0" + path[1:] if path.startswith("@") else path)
        line.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield line


def test_systemd_hears_of_the_start_the_watchdog_and_the_end(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready("2 cameras")
    notifier.feed_watchdog()
    notifier.stopping("SIGTERM")
    said = [manager.recv(200).decode() for _ in range(3)]
    assert said == ["READY=1\nSTATUS=2 cameras", "WATCHDOG=1", "STOPPING=1\nSTATUS=stopping: SIGTERM"]


def test_the_watchdog_is_fed_three_times_in_its_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert Notifier().feed_every_s == 10.0


def test_a_systemd_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Notifier().feed_watchdog()


def test_a_log_line_becomes_an_entry_with_its_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    stream = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stream.st_dev}:{stream.st_ino}")
    monkeypatch.setattr(journal, "_send", lambda message, **fields: sent.append((message, fields)))
    configure_logs("info")
    get_logger("edge_agent.camera").warning("camera is gone", camera="gate", after_s=10)
    assert sent == [
        (
            "camera is gone camera=gate after_s=10",
            {"PRIORITY": "4", "VONGGAC_PART": "edge_agent.camera", "VONGGAC_CAMERA": "gate", "VONGGAC_AFTER_S": "10"},
        )
    ]
    assert capfd.readouterr().err == ""


def test_elsewhere_a_line_goes_to_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    monkeypatch.setattr(journal, "_send", lambda *_args, **_fields: pytest.fail("went to the journal"))
    configure_logs("info")
    get_logger("edge_agent.camera").warning("camera is gone", camera="gate")
    assert '"camera": "gate"' in capfd.readouterr().err


@pytest.mark.parametrize("value", ["a\nb", 'a"}\n{"event": "signed in"', "a\r\nb", "a\u2028b", "a\x1b[31m"])
def test_a_line_break_in_a_value_makes_no_line_of_its_own(value: str, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", as_json=True)
    get_logger("collector.web").warning("refused", name=value)
    (line,) = capfd.readouterr().err.removesuffix("\n").split("\n")
    assert json.loads(line)["name"] == value
    assert "\x1b" not in line
