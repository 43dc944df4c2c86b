"""What the build of the packages promises, without a network; tests/system/test_package.py builds them for real."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.package.deb import write_deb, write_tar
from deploy.package.release import foreign_parts, same_everywhere
from deploy.package.target import Target

EPOCH = 1_700_000_000
AMD64, ARM64 = 0x3E, 0xB7

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb: it is on every Debian")


def machine_code(kind: int) -> bytes:
    """The beginning of an ELF file for that kind of machine."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + kind.to_bytes(2, "little")


def small_release(folder: Path, target: Target) -> Path:
    """A tree of the right shape, small enough to pack twice in a second."""
    tree = folder / "release"
    site = tree / "lib" / f"python{target.python}" / "site-packages"
    site.mkdir(parents=True)
    (site / "fast.so").write_bytes(machine_code(ARM64))
    (tree / "bin").mkdir()
    (tree / "bin" / "python").symlink_to("/usr/bin/python3")
    (tree / "bin" / "edge-agent").write_text("#!/bin/sh\n")
    (tree / "release.json").write_text(json.dumps({"version": target.version}))
    return tree


def packed(folder: Path, target: Target) -> tuple[Path, Path]:
    """Package and tar, built in `folder`."""
    tree = small_release(folder, target)
    same_everywhere(tree, EPOCH)
    tar = write_tar(folder / "out", tree, target, EPOCH)
    return write_deb(folder / "out", tree, target, EPOCH, folder / "work"), tar


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_only_wheels_for_the_target_are_taken(architecture: str, machine: str) -> None:
    options = Target("agent", "1.2.3", "13", architecture).pip_options()
    platforms = [each.split("=")[1] for each in options if each.startswith("--platform=")]
    assert platforms
    assert all(each.endswith(f"_{machine}") for each in platforms)
    assert {"--only-binary=:all:", "--python-version=3.13"} <= set(options)


def test_debian_12_gets_no_wheel_that_needs_a_newer_libc() -> None:
    options = Target("agent", "1.2.3", "12", "amd64").pip_options()
    assert "--platform=manylinux_2_36_x86_64" in options
    assert "--platform=manylinux_2_37_x86_64" not in options


def test_machine_code_for_another_machine_is_found(tmp_path: Path) -> None:
    (tmp_path / "right.so").write_bytes(machine_code(ARM64))
    (tmp_path / "text.py").write_text("x = 1")
    assert foreign_parts(tmp_path, "arm64") == []
    (tmp_path / "wrong.so").write_bytes(machine_code(AMD64))
    assert foreign_parts(tmp_path, "arm64") == ["wrong.so"]


@needs_dpkg
def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    target = Target("agent", "1.2.3", "13", "arm64")
    first, second = packed(tmp_path / "a", target), packed(tmp_path / "b", target)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@needs_dpkg
def test_a_package_holds_units_user_and_command_of_its_program_alone(tmp_path: Path) -> None:
    target = Target("agent", "1.2.3", "13", "arm64")
    deb, _tar = packed(tmp_path, target)
    assert deb.name == "vonggac-agent_1.2.3~deb13_arm64.deb"
    tree = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    units = sorted(path.name for path in (tree / "usr/lib/systemd/system").iterdir() if path.is_file())
    assert units == [
        "vonggac-agent.service", "vonggac-enrol.service", "vonggac-update.service", "vonggac-update.timer"
    ]  # fmt: skip
    assert "collector" not in (tree / "usr/lib/sysusers.d/vonggac-agent.conf").read_text()
    assert str((tree / "usr/bin/edge-agent").readlink()) == "/opt/vonggac/current/bin/edge-agent"
    assert (tree / "opt/vonggac/releases/1.2.3/release.json").exists()
    assert not (tree / "opt/vonggac/current").exists()
    scripts = "".join((tree / "DEBIAN" / name).read_text() for name in ("postinst", "prerm", "postrm"))
    assert "@" not in scripts.replace('"$@"', "")


@needs_dpkg
@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, "1.2.3"),
        ("1.2.2", "1.2.3"),
        ("1.2.3", "1.2.3"),
        ("1.10.0", "1.10.0"),
        ("gone", "1.2.3"),
    ],
)
def test_a_package_switches_to_its_release_but_never_back(tmp_path: Path, current: str | None, expected: str) -> None:
    """The real script, with its folder elsewhere and nothing of systemd."""
    deb, _tar = packed(tmp_path, Target("agent", "1.2.3", "13", "arm64"))
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-R", deb, root], check=True)
    opt = root / "opt/vonggac"
    if current is not None:
        (opt / "current").symlink_to(f"releases/{current}")
    if current in ("1.2.2", "1.10.0"):
        (opt / "releases" / current).mkdir()
        (opt / "releases" / current / "release.json").touch()
    text = (root / "DEBIAN/postinst").read_text().replace("opt=/opt/vonggac", f"opt={opt}")
    (tmp_path / "postinst").write_text(text.replace("/run/systemd/system", "/nonexistent"))
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name in ("systemd-sysusers", "install", "deb-systemd-helper"):
        (stubs / name).symlink_to("/bin/true")
    path = f"{stubs}:{os.environ['PATH']}"
    command = ["sh", tmp_path / "postinst", "configure"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})
    assert str((opt / "current").readlink()) == f"releases/{expected}"
    assert [path.name for path in opt.iterdir() if path.name.startswith(".")] == []
