"""The folder of releases (docs/design/updates.md): which release is which, and switching by renaming a link.

Rules: a link is replaced in one step and its folder synced; a name that is no version is nothing of ours; `current`
and `proven` differ only during a probation.
"""

import os
import shutil
from pathlib import Path
from typing import Literal

from vonggac.daemon.files import make_folder, sync_folder
from vonggac.wire.release import version_key

Link = Literal["current", "proven"]
PROGRAM = Path("bin") / "edge-agent"
OURS = ".by-update"
"""Stands in every release that an update put there: no other is ever removed."""


class Layout:
    """`root` is /opt/vonggac."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.releases = root / "releases"
        self.work = root / "update"

    def make(self) -> None:
        """The folders that an update needs. Raises OSError."""
        for folder in (self.releases, self.work):
            make_folder(folder)
            folder.chmod(0o755)

    def version_of(self, link: Link) -> str | None:
        """The release that a link names; None when it is missing, leads elsewhere, or to what is no release."""
        try:
            target = Path(os.readlink(self.root / link))
        except OSError:
            return None
        if target.parent not in (Path("releases"), self.releases) or not self.is_whole(target.name):
            return None
        return target.name

    def is_whole(self, version: str) -> bool:
        """Is there a program of this version?"""
        return _is_version(version) and os.access(self.folder(version) / PROGRAM, os.X_OK)

    def folder(self, version: str) -> Path:
        """Where a release lies."""
        return self.releases / version

    def half(self, version: str) -> Path:
        """Where it is unpacked before it is whole."""
        return self.releases / f".{version}.part"

    def switch(self, link: Link, version: str) -> None:
        """Let `link` name another release, in one step. Raises OSError."""
        fresh = self.root / f".{link}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / version)
        fresh.replace(self.root / link)
        sync_folder(self.root)

    def place(self, unpacked: Path, version: str) -> None:
        """An unpacked tree, already on the disk, becomes the release. Raises OSError."""
        (unpacked / OURS).touch()
        os.sync()
        unpacked.replace(self.folder(version))
        sync_folder(self.releases)

    def remove(self, version: str) -> None:
        """Take a release away that an update put there and that neither link names. Raises OSError."""
        if version in (self.version_of("current"), self.version_of("proven")):
            raise FileExistsError(17, "is in use", str(self.folder(version)))
        shutil.rmtree(self.folder(version))

    def prune(self, keep: int) -> list[str]:
        """Remove older releases of ours but the `keep` newest; returns what went. What is half-made goes too."""
        used = {self.version_of("current"), self.version_of("proven")}
        versions = [each.name for each in self.releases.iterdir() if (each / OURS).exists() and _is_version(each.name)]
        idle = sorted((each for each in versions if each not in used), key=version_key)
        gone = idle[: max(0, len(idle) - keep)]
        for version in gone:
            self.remove(version)
        return gone

    def clear_work(self, keep: Path | None = None) -> None:
        """Forget downloads and half-unpacked trees, but `keep`."""
        for each in self.work.iterdir():
            if each != keep and each.suffix in (".part", ".tmp"):
                each.unlink(missing_ok=True)
        for each in self.releases.glob(".*.part"):
            shutil.rmtree(each, ignore_errors=True)


def _is_version(name: str) -> bool:
    try:
        version_key(name)
    except ValueError:
        return False
    return True
