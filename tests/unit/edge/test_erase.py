"""A box that leaves its place."""

import os
from pathlib import Path

from click.testing import CliRunner, Result

from edge_agent.cli import main
from edge_agent.outbox.database import take_lock


def a_box(folder: Path) -> Path:
    """Configuration of a box that has recorded something."""
    for name, text in (
        ("data/clips/a.mp4", "picture"),
        ("data/identity/tls.pem", "key"),
        ("data/outbox.sqlite", "events"),
        ("gate.secret", "password"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    config = folder / "edge.yaml"
    config.write_text(
        "box: box-1\ndata: data\nidentity: data/identity\nbroker: {host: 10.0.0.5}\ncollector: {url: 'https://10.0.0.5:8443'}\n"
        "cameras: [{name: gate, source: 'rtsp://10.0.0.9/1', user: an, password_file: gate.secret}]\n"
    )
    return config


def erase(config: Path, *options: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["erase", "--config", str(config), *options], input=answer)


def test_nothing_that_a_box_recorded_or_knew_is_left(tmp_path: Path) -> None:
    done = erase(a_box(tmp_path), "--yes")
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.rglob("*")] == ["data"]


def test_without_a_yes_nothing_goes(tmp_path: Path) -> None:
    config = a_box(tmp_path)
    assert erase(config, answer="n\n").exit_code == 1
    assert (tmp_path / "data/clips/a.mp4").exists()


def test_under_a_running_agent_nothing_goes(tmp_path: Path) -> None:
    config = a_box(tmp_path)
    lock = take_lock(tmp_path / "data")
    done = erase(config, "--yes")
    os.close(lock)
    assert (done.exit_code, "the agent runs" in done.output) == (1, True)
    assert (tmp_path / "data/identity/tls.pem").exists()
