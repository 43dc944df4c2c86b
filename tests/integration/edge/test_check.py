"""`edge-agent check` tells apart what an installer may have got wrong, against a real broker and collector."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_agent.check import check_clock, check_disk
from edge_agent.cli import main
from edge_agent.config import load_edge_config
from tests.support.brokers import free_port
from tests.support.clock import FakeClock
from tests.support.system import System
from tests.support.walks import film_walks


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    made = System(tmp_path_factory.mktemp("post"))
    try:
        made.add_box("box-1")
        made.serve()
        film_walks(made.folder / "gate.mp4", ((1.0, 3.0),), 4.0)
        yield made
    finally:
        made.kill()


@dataclasses.dataclass(frozen=True)
class Given:
    """What an installer wrote."""

    secret: str = "box-1.secret"
    broker_port: int | None = None
    collector: str | None = None
    source: str = "gate.mp4"
    disk: str = ""


def _check(system: System, given: Given) -> tuple[int, dict[str, tuple[bool, str]]]:
    file = system.folder / "check.yaml"
    file.write_text(
        f"box: box-1\ndata: box-data\n"
        f"broker: {{host: 127.0.0.1, port: {given.broker_port or system.broker_port}, password_file: {given.secret}}}\n"
        f"collector: {{url: '{given.collector or system.url}'}}\n{given.disk}"
        f"cameras: [{{name: gate, source: '{given.source}', open_deadline: 2s, read_deadline: 2s}}]\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(main, ["check", "--json", "--lang", "en", "--config", str(file)])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return result.exit_code, {line["part"]: (line["ok"], line["text"]) for line in lines}


def test_a_box_that_is_well_says_so(system):
    code, found = _check(system, Given())
    assert all(ok for part, (ok, _) in found.items() if part != "clock"), found
    assert found["camera gate (main)"][1].startswith("picture 320x240 h264, 10.0 frames/s")
    assert list(found) == ["disk", "clock", "broker", "collector", "camera gate (main)", "upload"]
    assert code == (0 if found["clock"][0] else 1)


def test_a_wrong_password_is_told_by_broker_and_collector(system):
    wrong = system.folder / "wrong.secret"
    wrong.write_text("not-the-secret\n", encoding="utf-8")
    wrong.chmod(0o600)
    code, found = _check(system, Given(secret="wrong.secret"))
    assert code == 1
    assert "refused us" in found["broker"][1]
    assert "Check broker.password_file" in found["broker"][1]
    assert "does not know this box or its secret" in found["collector"][1]
    assert found["camera gate (main)"][0]


def test_a_secret_that_cannot_be_read_is_told_and_the_cameras_are_looked_at_all_the_same(system):
    code, found = _check(system, Given(secret="none.secret"))
    assert (code, found["secret"][0]) == (1, False)
    assert "none.secret: secret file cannot be read: No such file" in found["secret"][1]
    assert found["camera gate (main)"][0]


def test_a_wrong_broker_is_told(system):
    code, found = _check(system, Given(broker_port=free_port()))
    assert code == 1
    assert "cannot be reached" in found["broker"][1]
    assert found["collector"][0]


def test_something_else_on_the_brokers_port_is_told(system):
    _, found = _check(system, Given(broker_port=system.port))
    assert not found["broker"][0]
    assert "Check broker.host and broker.port" in found["broker"][1]


def test_a_wrong_collector_is_told(system):
    _, found = _check(system, Given(collector=f"http://127.0.0.1:{free_port()}"))
    assert "cannot be reached" in found["collector"][1]
    assert found["broker"][0]


@pytest.mark.parametrize(
    ("source", "word"),
    [("rtsp://127.0.0.1:9/none", "127.0.0.1:9"), ("none.mp4", "none.mp4"), ("box-1.secret", "box-1.secret")],
)
def test_a_camera_that_gives_no_picture_is_told(system, source, word):
    code, found = _check(system, Given(source=source))
    ok, text = found["camera gate (main)"]
    assert (code, ok) == (1, False)
    assert word in text
    assert found["broker"][0]


def test_a_full_disk_is_told(system):
    total = shutil.disk_usage(system.folder).total
    _, found = _check(system, Given(disk=f"disk: {{keep_free: {total}}}\n"))
    assert not found["disk"][0]
    assert "must stay free" in found["disk"][1]


def test_a_small_full_disk_is_told(tmp_path, system):
    del system
    config = load_edge_config(Path(__file__).parents[3] / "configs" / "edge.yaml")
    full = config.disk.model_copy(update={"keep_free_share": 0.999999})
    finding = check_disk(config.model_copy(update={"data": tmp_path / "new", "disk": full}))
    assert not finding.ok


@pytest.mark.parametrize(
    ("state", "ok", "word"),
    [("unset", False, "not set"), ("synced", True, "synchronised"), ("holdover", True, "battery")],
)
def test_the_clock_is_told(state, ok, word):
    finding = check_clock(FakeClock(state=state))
    assert finding.ok == ok
    assert word in finding.say()
