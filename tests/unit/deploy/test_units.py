"""The systemd units, by systemd's own tools."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NAMES = ("vonggac-agent.service", "vonggac-collector.service", "vonggac-collector@.service")
MOSQUITTO = Path("/lib/systemd/system/mosquitto.service")

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
    """The unit with a program that is on this machine; of the template, one instance."""
    text = (UNITS / name).read_text(encoding="utf-8")
    unit = folder / name.replace("@.", "@web.")
    unit.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
    return unit


def broker(folder: Path) -> Path:
    """Debian's unit with our sandbox, in one file: what systemd makes of it."""
    ours = (UNITS / "mosquitto.service.d" / "vonggac.conf").read_text(encoding="utf-8")
    unit = folder / "vonggac-broker.service"
    unit.write_text(MOSQUITTO.read_text(encoding="utf-8") + ours, encoding="utf-8")
    return unit


def verified(unit: Path) -> tuple[int, list[str]]:
    """Exit code and complaints of `systemd-analyze verify` about this unit."""
    command = ["systemd-analyze", "verify", "--man=no", unit]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.returncode, [line for line in found.stderr.splitlines() if unit.name in line]


def exposure(unit: Path) -> float:
    """As `systemd-analyze security` counts it: 0 is best, 10 worst."""
    command = ["systemd-analyze", "security", "--offline=true", unit]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    (level,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", found.stdout)
    return float(level)


@needs_systemd
@pytest.mark.parametrize("name", [*NAMES, "vonggac-enrol.service", "vonggac-update.service"])
def test_systemd_finds_no_mistake_in_a_unit(name: str, tmp_path: Path) -> None:
    assert verified(startable(name, tmp_path)) == (0, [])


@needs_systemd
def test_systemd_finds_no_mistake_in_the_units_that_bring_the_revoked_to_mosquitto(tmp_path: Path) -> None:
    for name in ("vonggac-revoked.path", "vonggac-revoked.service"):
        shutil.copy(UNITS / name, tmp_path / name)
    assert verified(tmp_path / "vonggac-revoked.path") == (0, [])
    assert exposure(tmp_path / "vonggac-revoked.service") <= 2.0


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_exposed_by_no_more_than_two(name: str, tmp_path: Path) -> None:
    assert exposure(startable(name, tmp_path)) <= 2.0


@needs_systemd
def test_enrolment_runs_once_as_root_and_is_hardly_more_exposed(tmp_path: Path) -> None:
    """Root costs it 0.4: it writes to /etc/vonggac and to the card, and gives the agent its keys."""
    assert exposure(startable("vonggac-enrol.service", tmp_path)) <= 2.1


@needs_systemd
def test_the_updater_runs_as_root_from_what_is_proven_and_is_no_more_exposed(tmp_path: Path) -> None:
    """Root, as releases belong to nobody else; and not the release on probation, which would judge itself."""
    assert options_of("vonggac-update.service")["ExecStart"].startswith("/opt/vonggac/proven/bin/edge-agent update")
    assert exposure(startable("vonggac-update.service", tmp_path)) <= 2.0
    shutil.copy(UNITS / "vonggac-update.timer", tmp_path / "vonggac-update.timer")
    assert verified(tmp_path / "vonggac-update.timer") == (0, [])


@needs_systemd
@pytest.mark.mosquitto
@pytest.mark.skipif(not MOSQUITTO.exists(), reason="needs Mosquitto: apt-get install mosquitto")
def test_the_broker_is_as_well_shut_in(tmp_path: Path) -> None:
    unit = broker(tmp_path)
    assert verified(unit) == (0, [])
    assert exposure(unit) <= 2.0


@pytest.mark.parametrize("name", NAMES)
def test_a_service_never_gives_up_but_for_a_wrong_configuration(name: str) -> None:
    options = options_of(name)
    assert options["Restart"] == "always"
    assert options["RestartPreventExitStatus"] == "78"
    assert "StartLimitIntervalSec=0" in (UNITS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_watched_bounded_and_its_own_user(name: str) -> None:
    options = options_of(name)
    program = name.removesuffix(".service").removesuffix("@")
    assert options["Type"] == "notify"
    assert options["User"] == options["StateDirectory"] == program
    assert f"u {program} " in (UNITS / "vonggac.sysusers").read_text(encoding="utf-8")
    assert {"WatchdogSec", "MemoryMax", "TasksMax"} <= set(options)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_starts_without_any_secret_file(name: str) -> None:
    """An enrolled box has none, nor has a server in a closed network. A credential without a path may be missing."""
    options = options_of(name)
    assert "EnvironmentFile" not in options
    assert options.get("LoadCredential", "vonggac.authority") == "vonggac.authority"


@pytest.mark.parametrize(("name", "example"), [*zip(NAMES[:2], ("edge.yaml", "collector.yaml"), strict=True)])
def test_the_examples_data_folder_is_the_one_that_the_service_may_write(name: str, example: str) -> None:
    data = yaml.safe_load((UNITS.parents[1] / "configs" / example).read_text(encoding="utf-8"))["data"]
    assert data == f"/var/lib/{options_of(name)['StateDirectory']}"


def test_each_part_of_the_collector_is_as_the_whole_is() -> None:
    """The template differs in what it must: which part it runs, and that it is not run beside the whole."""
    whole = (UNITS / "vonggac-collector.service").read_text(encoding="utf-8").splitlines()
    part = (UNITS / "vonggac-collector@.service").read_text(encoding="utf-8").splitlines()
    assert {line.split("=")[0] for line in part if line not in whole} == {
        "Description",
        "Conflicts",
        "ExecStart",
        "# %i is ingest, alerts, fleet or web: all four, or a part is done by nobody. See deploy/systemd/README.md.",
    }
    assert {line.split("=")[0] for line in whole if line not in part} == {"Description", "ExecStart"}
