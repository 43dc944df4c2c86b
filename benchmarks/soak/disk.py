"""A small ext4 of its own for a program's data folder, so that the kernel counts what really goes to the device."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


class Disk:
    """The device under a mounted folder."""

    def __init__(self, folder: Path) -> None:
        number = folder.stat().st_dev
        self._stat = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")

    def written_bytes(self) -> int:
        """All sectors written to the device so far: data, inodes and the file system's journal."""
        return int(self._stat.read_text(encoding="ascii").split()[6]) * 512


@contextlib.contextmanager
def own_disk(folder: Path, image: Path, size: str = "128M") -> Iterator[Disk | None]:
    """Mount a fresh ext4 on `folder`; None where that is not possible: no root, no loop device."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        yield None
        return
    subprocess.run(["truncate", "-s", size, str(image)], check=True)
    options = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(["mkfs.ext4", "-q", "-E", options, str(image)], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False, capture_output=True)
    if mounted.returncode != 0:
        yield None
        return
    try:
        (folder / "lost+found").rmdir()
        yield Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=False)
        image.unlink()
