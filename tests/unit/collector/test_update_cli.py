"""`collector update …`: from a key to a release that is offered and stopped, and what is refused on the way."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli import main
from collector.store import audit, boxes
from collector.store.audit import Sought
from collector.store.database import Database, open_database, sqlite_url
from tests.support.releases import a_tree, packed


class Desk:
    """A server's command line, and an offline computer's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "collector.yaml"
        self.config.write_text("data: server\nbroker: embedded\n", encoding="utf-8")
        self.password = folder / "password"
        self.password.write_text("mot-mat-khau-du-dai-cho-khoa-ky\n", encoding="utf-8")
        self.password.chmod(0o600)

    def offline(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["update", *arguments, "--password-file", str(self.password)])
        return done.exit_code, done.output

    def server(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["update", *arguments, "--config", str(self.config)])
        return done.exit_code, done.output

    def database(self) -> Database:
        return open_database(sqlite_url((self.folder / "server").resolve() / "collector.sqlite"))

    def signed(self, version: str) -> Path:
        release = self.folder / f"release-{version}"
        archive = packed(a_tree(self.folder / f"tree-{version}", version), version)
        code, said = self.offline("sign", str(release), str(archive), "--key", str(self.folder / "release.key"))
        assert code == 0, said
        return release


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_release_goes_from_a_key_to_a_ring_and_is_stopped(desk: Desk) -> None:
    code, said = desk.offline("keygen", str(desk.folder / "release.key"))
    assert code == 0
    key = said.split()[0]
    assert b"ENCRYPTED" in (desk.folder / "release.key").read_bytes()
    release = desk.signed("1.1.0")
    code, said = desk.server("add", str(release))
    assert (code, "is not signed by a trusted key" in said) == (1, True)
    assert desk.server("trust", key) == (0, f"{key}\n")
    assert desk.server("add", str(release))[0] == 0
    assert "is here already" in desk.server("add", str(release))[1]
    assert json.loads(desk.server("list", "--json")[1])["offered"] is False
    assert desk.server("offer", "9.9.9", "--ring", "all")[0] == 1
    assert desk.server("offer", "1.1.0", "--ring", "first")[0] == 0
    assert json.loads(desk.server("list", "--json")[1])["offered"] is True
    assert "is not registered" in desk.server("ring", "box-one", "first")[1]
    database = desk.database()
    with database.write() as connection:
        boxes.add_box(connection, "box-one", "Ngõ 12", "Xã Thử", "", 1)
    assert desk.server("ring", "box-one", "first") == (0, "box-one is of ring first\n")
    assert json.loads(desk.server("progress", "--json")[1])["ring"] == "first"
    assert desk.server("stop", "1.1.0")[0] == 0
    assert "stopped already" in desk.server("stop", "1.1.0")[1]
    with database.read() as connection:
        lines = audit.list_lines(connection, Sought(action="configure"))
    database.close()
    assert [(line.thing, line.detail["did"]) for line in reversed(lines)] == [
        ("release_key", "trust"), ("release", "add"), ("release", "offer"), ("box", "ring"), ("release", "stop"),
    ]  # fmt: skip


def test_what_cannot_be_signed_says_why(desk: Desk) -> None:
    key = str(desk.folder / "release.key")
    assert desk.offline("keygen", key)[0] == 0
    assert "exists; boxes trust it" in desk.offline("keygen", key)[1]
    nothing = desk.folder / "nothing.tar.gz"
    nothing.write_bytes(b"no archive")
    told = desk.offline("sign", str(desk.folder / "r"), str(nothing), "--key", key)
    assert "is no release as deploy/package/build --tar makes it" in told[1]
    one = packed(a_tree(desk.folder / "one", "1.1.0"), "1.1.0")
    two = packed(a_tree(desk.folder / "more" / "two", "1.2.0"), "1.2.0")
    told = desk.offline("sign", str(desk.folder / "r"), str(one), str(two), "--key", key)
    assert "are of different versions: 1.1.0, 1.2.0" in told[1]
    desk.password.write_text("ein-anderes-passwort-das-lang-ist\n", encoding="utf-8")
    assert (
        "cannot be opened with this password" in desk.offline("sign", str(desk.folder / "r"), str(one), "--key", key)[1]
    )
    assert not (desk.folder / "r").exists()
