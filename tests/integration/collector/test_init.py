"""`collector init`: from an empty folder to a server that starts."""

import getpass
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli import main
from collector.config import load_collector_config
from collector.identity import station
from collector.setting_up import Places, Wishes, set_up
from collector.store import boxes, users
from collector.store.database import open_database
from tests.support.brokers import mosquitto_path
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.config import ConfigInvalid

WISHES = Wishes(
    names=("10.20.0.5",),
    district="Huyện Thử",
    commune="Xã A",
    administrator="quan-tri",
    password=None,
    embedded=True,
    public_url=None,
)
needs_mosquitto = pytest.mark.skipif(mosquitto_path() is None, reason="needs Mosquitto: apt-get install mosquitto")


def made_and_kept(places: Places, wishes: Wishes = WISHES) -> tuple[list[str], list[str]]:
    """What was made, and what was there."""
    steps = list(set_up(places, wishes, SystemClock()))
    return [step.what for step in steps if step.made], [step.what for step in steps if not step.made]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("collector.sqlite")
    }


def test_an_empty_folder_becomes_a_server_with_its_first_administrator(tmp_path: Path) -> None:
    made, kept = made_and_kept(Places.within(tmp_path / "server"))
    assert kept == []
    config = load_collector_config(tmp_path / "server" / "collector.yaml")
    assert (config.commune, config.broker.embedded, config.closed_network) == ("Xã A", True, False)
    assert station.open_authority(config).fingerprint in "\n".join(made)
    database = open_database(config.database_url)
    with database.read() as connection:
        assert [(each.name, each.role) for each in users.all_users(connection)] == [("quan-tri", "administrator")]
    database.close()


def test_the_second_time_nothing_changes_and_no_password_is_shown(tmp_path: Path) -> None:
    places = Places.within(tmp_path)
    first, _kept = made_and_kept(places)
    before = files_of(tmp_path)
    made, kept = made_and_kept(places, replace(WISHES, names=(), administrator="khac"))
    assert (made, len(kept)) == ([], len(first))
    assert files_of(tmp_path) == before
    assert "password" not in next(line for line in kept if line.startswith("administrator"))


def test_a_run_that_broke_off_is_finished_by_the_next(tmp_path: Path) -> None:
    places = Places.within(tmp_path)
    steps = set_up(places, WISHES, SystemClock())
    next(steps)
    next(steps)
    steps.close()
    made, kept = made_and_kept(places)
    assert [line.split(":")[0] for line in kept] == ["password of the authority's key", "configuration"]
    assert any(line.startswith("administrator: quan-tri") for line in made)


def test_what_is_secret_is_readable_by_nobody_else(tmp_path: Path) -> None:
    places = replace(Places.within(tmp_path), owner=getpass.getuser())
    made_and_kept(places)
    secret = [places.password, *(places.data / "identity").glob("*.key"), places.data / "collector.sqlite"]
    assert {path.stat().st_mode & 0o077 for path in secret} == {0}
    assert places.data.stat().st_mode & 0o777 == 0o700


def test_without_a_name_and_without_a_configuration_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="--name: give the address"):
        made_and_kept(Places.within(tmp_path), replace(WISHES, names=()))
    assert not (tmp_path / "data").exists()


def test_without_the_package_s_user_nothing_is_begun(tmp_path: Path) -> None:
    places = replace(Places.of_the_system(tmp_path), owner="vonggac-nobody")
    with pytest.raises(ConfigInvalid, match="install the package"):
        made_and_kept(places)
    assert list(tmp_path.iterdir()) == []


@needs_mosquitto
@pytest.mark.mosquitto
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are given to Mosquitto's user")
def test_the_system_s_files_go_where_units_and_mosquitto_look_for_them(tmp_path: Path) -> None:
    places = replace(Places.of_the_system(tmp_path), owner="daemon")
    made_and_kept(places, replace(WISHES, embedded=False))
    there = set(files_of(tmp_path))
    assert {
        "etc/vonggac/collector.yaml",
        "etc/credstore/vonggac.authority",
        "etc/mosquitto/conf.d/vonggac.conf",
        "etc/mosquitto/vonggac/server.key",
        "etc/systemd/system/mosquitto.service.d/vonggac.conf",
        "var/lib/vonggac-collector/identity/authority.key",
    } <= there
    text = places.config.read_text(encoding="utf-8")
    assert "key_password_file: $CREDENTIALS_DIRECTORY/vonggac.authority" in text
    assert {path.owner() for path in places.data.rglob("*")} == {"daemon"}
    assert {path.owner() for path in (places.mosquitto / "vonggac").iterdir()} == {"mosquitto"}
    assert (tmp_path / "etc/credstore").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd")
def test_systemd_finds_no_mistake_in_the_units_of_a_folder(tmp_path: Path) -> None:
    places = Places.within(tmp_path)
    made_and_kept(places, replace(WISHES, embedded=False))
    units = [places.units / "vonggac-collector.service", places.units / "vonggac-revoked.path"]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in found.stderr.splitlines() if "vonggac" in line] == []
    text = units[0].read_text(encoding="utf-8")
    assert f"--config {tmp_path}/collector.yaml" in text
    assert f"ReadWritePaths={places.data}" in text
    assert "LoadCredential" not in text


def test_a_box_stands_in_the_commune_of_its_site_else_of_the_server(tmp_path: Path) -> None:
    made_and_kept(Places.within(tmp_path))

    def add(box: str, *about: str) -> str:
        arguments = ["box", "add", box, *about, "--camera", "gate=rtsp://10.0.0.9/1"]
        places = ["--config", str(tmp_path / "collector.yaml"), "--bundle", str(tmp_path / f"{box}.zip")]
        return str(CliRunner().invoke(main, [*arguments, *places]).output)

    add("box-1", "--site", "Ngõ 12")
    add("box-2", "--site", "Trường học", "--commune", "Xã B")
    add("box-3", "--site", "Trường học")
    add("box-4", "--site", "Trường học", "--commune", "Xã C")
    assert "--commune: is needed, as there is a 'Trường học' in Xã B and in Xã C" in add(
        "box-5", "--site", "Trường học"
    )
    database = open_database(load_collector_config(tmp_path / "collector.yaml").database_url)
    with database.read() as connection:
        found = {box.id: box.commune for box in boxes.list_boxes(connection)}
    database.close()
    assert found == {"box-1": "Xã A", "box-2": "Xã B", "box-3": "Xã B", "box-4": "Xã C"}
