"""`deploy/package/build`: makes packages. Reproducible: the same commit gives the same bytes (SOURCE_DATE_EPOCH)."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.package.deb import write_deb, write_tar
from deploy.package.release import ROOT, build_project, foreign_parts, make_release, project_version
from deploy.package.target import MACHINE_OF, PYTHON_OF_DEBIAN, Target


def epoch_of_the_sources() -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None:
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not told:
        sys.exit("Not a clone of the project: give SOURCE_DATE_EPOCH, the seconds since 1970 that files shall carry")
    return int(told)


def build(target: Target, out: Path, epoch: int, *, tar: bool) -> list[Path]:
    """The files made, the package first."""
    with tempfile.TemporaryDirectory(prefix="vonggac-package-") as name:
        work = Path(name)
        tree = work / "release"
        make_release(tree, target, build_project(work, epoch), epoch)
        wrong = foreign_parts(tree, target.architecture)
        if wrong:
            sys.exit(f"{target.stem}: machine code for another machine: {', '.join(wrong)}")
        made = [write_tar(out, tree, target, epoch)] if tar else []
        return [write_deb(out, tree, target, epoch, work), *made]


def options(arguments: list[str]) -> argparse.Namespace:
    """What the command line says; ends the program where it makes no sense."""
    parser = argparse.ArgumentParser(prog="deploy/package/build", description=__doc__)
    parser.add_argument("program", choices=["agent", "collector"])
    parser.add_argument("--debian", choices=sorted(PYTHON_OF_DEBIAN), default="13", help="also of Raspberry Pi OS")
    parser.add_argument("--arch", choices=sorted(MACHINE_OF), default="arm64")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--tar", action="store_true", help="also the release as a .tar.gz, as updates carry it")
    return parser.parse_args(arguments)


def main() -> None:
    """Build, say what was made."""
    given = options(sys.argv[1:])
    target = Target(given.program, project_version(), given.debian, given.arch)
    for path in build(target, given.out, epoch_of_the_sources(), tar=given.tar):
        print(path)


if __name__ == "__main__":
    main()
