"""The systemd units, by systemd's own tools."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NAMES = ("vonggac-agent.service", "vonggac-collector.service")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd"
)


class _Everything(dict[str, str]):
    """Keeps every line of an option that stands there several times."""

    def __setitem__(self, key: str, value: object) -> None:
        before = self.get(key)
        super().__setitem__(key, [*before, *value] if isinstance(before, list) and isinstance(value, list) else value)  # type: ignore[assignment]


def options_of(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, dict_type=_Everything, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS / name, encoding="utf-8")
    return parser["Service"]


def startable(name: str, folder: Path) -> Path:
    """The unit with a program that is on this machine."""
    text = (UNITS / name).read_text(encoding="utf-8")
    unit = folder / name
    unit.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
    return unit


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_no_mistake_in_a_unit(name: str, tmp_path: Path) -> None:
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", startable(name, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in found.stderr.splitlines() if name in line]
    assert (found.returncode, said) == (0, [])


@needs_systemd
def test_systemd_finds_no_mistake_in_the_units_that_bring_the_revoked_to_mosquitto(tmp_path: Path) -> None:
    for name in ("vonggac-revoked.path", "vonggac-revoked.service"):
        shutil.copy(UNITS / name, tmp_path / name)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "vonggac-revoked.path"],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in found.stderr.splitlines() if "vonggac-revoked" in line]
    assert (found.returncode, said) == (0, [])


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_exposed_by_no_more_than_two(name: str, tmp_path: Path) -> None:
    found = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", startable(name, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-200:]


@pytest.mark.parametrize("name", NAMES)
def test_a_service_never_gives_up_but_for_a_wrong_configuration(name: str) -> None:
    options = options_of(name)
    assert options["Restart"] == "always"
    assert options["RestartPreventExitStatus"] == "78"
    assert "StartLimitIntervalSec=0" in (UNITS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_watched_bounded_and_its_own_user(name: str) -> None:
    options = options_of(name)
    program = name.removesuffix(".service")
    assert options["Type"] == "notify"
    assert options["User"] == options["StateDirectory"] == program
    assert f"u {program} " in (UNITS / "vonggac.sysusers").read_text(encoding="utf-8")
    assert {"WatchdogSec", "MemoryMax", "TasksMax"} <= set(options)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_starts_without_any_secret_file(name: str) -> None:
    """An enrolled box has none, nor has a server with its own broker; a missing credential stops a unit."""
    assert not {"LoadCredential", "LoadCredentialEncrypted", "EnvironmentFile"} & set(options_of(name))


@pytest.mark.parametrize(("name", "example"), [*zip(NAMES, ("edge.yaml", "collector.yaml"), strict=True)])
def test_the_examples_data_folder_is_the_one_that_the_service_may_write(name: str, example: str) -> None:
    data = yaml.safe_load((UNITS.parents[1] / "configs" / example).read_text(encoding="utf-8"))["data"]
    assert data == f"/var/lib/{options_of(name)['StateDirectory']}"
