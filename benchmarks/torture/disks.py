"""Disks whose power can be cut for real: ext4 in a file, mounted through a loop device.

A power cut is a copy of the file, taken while the file system is still mounted: it holds what was synced to the
device and perhaps more, never what only the page cache knew. The copy is mounted, the journal is replayed, and the
programs start from that. Needs root; without it a folder takes the disk's place and a cut only tears files' tails.
"""

import functools
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

TOOLS = ("unshare", "nft", "tc", "mkfs.ext4")


@functools.cache
def kernel_is_ours() -> bool:
    """Whether disks and namespaces can be made here: root, its tools, and a machine that lets root do it."""
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        return False
    try:
        with tempfile.TemporaryDirectory() as folder:
            image, mounted = Path(folder) / "image", Path(folder) / "mounted"
            mounted.mkdir()
            with image.open("wb") as file:
                file.truncate(8 << 20)
            _run("mkfs.ext4", "-q", "-F", str(image))
            _run("unshare", "--net", "--mount", "mount", "-o", "loop", str(image), str(mounted))
    except RuntimeError:
        return False
    return True


class Disk:
    """One disk, mounted at `folder`."""

    def __init__(self, place: Path, name: str, size_mb: int, rng: random.Random) -> None:
        self.folder = place / name
        self.folder.mkdir(parents=True)
        self._image = place / f"{name}.ext4"
        self._ballast = self.folder / "ballast"
        self._rng = rng
        self.real = kernel_is_ours()
        if self.real:
            with self._image.open("wb") as image:
                image.truncate(size_mb << 20)
            options = ["-E", "lazy_itable_init=0,lazy_journal_init=0", "-m", "0", "-J", "size=4"]
            _run("mkfs.ext4", "-q", "-F", *options, str(self._image))
            self._mount()

    def _mount(self) -> None:
        # No heuristics of the kernel's may mend a missing sync, and no timer may come to its help.
        _run("mount", "-o", "loop,noauto_da_alloc,commit=600", str(self._image), str(self.folder))

    def power_cut(self) -> None:
        """What was not synced is gone. Nothing may have a file open."""
        if not self.real:
            self._tear()
            return
        copy = self._image.with_suffix(".cut")
        _run("cp", "--sparse=always", str(self._image), str(copy))
        self.unmount()
        copy.replace(self._image)
        self._mount()

    def _tear(self) -> None:
        for path in sorted(self.folder.rglob("*.part")):
            size = path.stat().st_size
            with path.open("r+b") as file:
                kept = self._rng.randint(0, size)
                file.truncate(kept)
                if self._rng.random() < 0.5:
                    file.seek(0, os.SEEK_END)
                    file.write(bytes(size - kept))

    def fill(self, leave_bytes: int = 0) -> bool:
        """Somebody else takes all the room; False where that would hit the whole machine."""
        if not self.real:
            return False
        free = os.statvfs(self.folder)
        size = free.f_bavail * free.f_frsize - leave_bytes
        if size > 0:
            with self._ballast.open("ab") as ballast:
                try:
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), size)
                except OSError:
                    _write_until_full(ballast.fileno())
        return True

    def empty(self) -> None:
        """They give it back."""
        self._ballast.unlink(missing_ok=True)

    def wipe(self) -> None:
        """A new card."""
        for entry in self.folder.iterdir():
            if entry.name == "lost+found":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def unmount(self) -> None:
        """Take it away."""
        if self.real:
            _run("umount", str(self.folder))


def _write_until_full(descriptor: int) -> None:
    block = bytes(65536)
    while block:
        try:
            os.write(descriptor, block)
        except OSError:
            block = block[: len(block) // 2]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
