"""The hand-over sheet: what a reader sees in it, who signed it, and that a changed one is found out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector.cli import main as collector
from collector.store import boxes, identities
from collector.store.database import open_database, sqlite_url
from edge_agent.cli import main as agent
from edge_agent.identity.enrol import enrol
from edge_agent.identity.folder import load_signing_key
from tests.support.clock import FakeClock
from tests.support.office import Office
from tests.support.releases import BOX
from tests.support.walks import film_walks
from vonggac.daemon.bundles import read_bundle
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.signatures import public_hex

PASSWORD = "mat-khau-cua-camera"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(office: Office, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, str]:
    """A sheet of an enrolled box, what the command said, and the box's public key. The broker is not there."""
    folder = tmp_path_factory.mktemp("box")
    film_walks(folder / "gate.mp4", ((1.0, 3.0),), 4.0)
    bundle = office.bundle(
        folder / "bundle", BOX, f"gate={folder / 'gate.mp4'}", f"yard=rtsp://viewer:{PASSWORD}@127.0.0.1:9/1"
    )
    config = folder / "edge.yaml"
    enrol(read_bundle(bundle), folder / "data", config, SystemClock())
    zone = "  motion: {zones: [{name: Cổng <chính>, area: [[0.1, 0.2], [0.6, 0.2], [0.6, 0.9]]}]}"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("- name: yard", f"{zone}\n- name: yard", 1), encoding="utf-8")
    sheet = folder / "ban-giao.html"
    done = CliRunner().invoke(agent, ["sheet", str(sheet), "--config", str(config)])
    return sheet, done, public_hex(load_signing_key(folder / "data" / "identity"))


def test_it_shows_pictures_zones_and_checks_and_no_secret(made: tuple[Path, Result, str]) -> None:
    sheet, done, _ = made
    assert done.exit_code == 1, done.output  # the broker and one camera are not there, and it says so
    page = sheet.read_text(encoding="utf-8")
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert "Cổng &lt;chính&gt;" in page
    assert '<polygon class="zone" points="100,200 600,200 600,900"/>' in page
    for text in ("Chưa đạt: còn mục SAI", "Không có hình", "hình 320x240 h264", "chứng chỉ của box-one"):
        assert text in page
    assert PASSWORD not in page
    assert not re.search(r"(src|href)=\"http", page), "it needs nothing from anywhere"
    assert sheet.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def server(tmp_path: Path, made: tuple[Path, Result, str]) -> Path:
    """A collector's configuration, whose database knows the box's key."""
    config = tmp_path / "collector.yaml"
    config.write_text("data: server\nbroker: embedded\n", encoding="utf-8")
    database = open_database(sqlite_url((tmp_path / "server").resolve() / "collector.sqlite"))
    with database.write() as connection:
        boxes.add_box(connection, BOX, "Ngõ 12", "Xã Thử", "", 1)
        identities.register_signing_key(connection, BOX, made[2], FakeClock().wall_ms())
    database.close()
    return config


def verify(sheet: Path, config: Path) -> Result:
    return CliRunner().invoke(collector, ["box", "verify-sheet", str(sheet), "--config", str(config)])


def test_the_server_knows_whether_a_sheet_is_the_boxes_own_and_unchanged(
    made: tuple[Path, Result, str], server: Path, tmp_path: Path
) -> None:
    whole = made[0].read_bytes()
    copy = tmp_path / "copy.html"

    def said(data: bytes) -> tuple[int, str]:
        copy.write_bytes(data)
        done = verify(copy, server)
        return done.exit_code, done.output.replace(str(copy), "SHEET").strip()

    assert said(whole) == (0, f"SHEET: signed by box {BOX}, unchanged")
    changed = (1, f"Error: SHEET: was changed after box {BOX} had signed it")
    assert said(whole.replace("Chưa đạt: còn mục SAI".encode(), "Đạt: có thể bàn giao".encode())) == changed
    assert said(b"<p>more</p>" + whole) == changed
    no_seal = (1, "Error: SHEET has no seal at its end: it is no hand-over sheet, or was cut off")
    assert said(whole + b"<p>more</p>") == no_seal
    assert said(whole[:-200]) == no_seal
    unknown = (1, "Error: SHEET: its key was never registered for box box-two")
    assert said(whole.replace(b"sheet 1 box-one", b"sheet 1 box-two")) == unknown


def test_a_key_that_has_ended_is_said(made: tuple[Path, Result, str], server: Path, tmp_path: Path) -> None:
    database = open_database(sqlite_url((tmp_path / "server").resolve() / "collector.sqlite"))
    with database.write() as connection:
        identities.end_signing_keys(connection, BOX, FakeClock().wall_ms() + 1)
    database.close()
    done = verify(made[0], server)
    assert done.exit_code == 0
    assert "Its key has ended since" in done.output
