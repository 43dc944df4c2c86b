"""Unpacking a release's archive, trusting nothing in it though its hash was signed.

Rules: files, folders and links only; every name stays inside, and no member goes through a link; a link leads to inside
the tree, or is bin/python… to the system's own Python, as a virtual environment has it; no more bytes and members than
the manifest says; no mode beyond rwxr-xr-x.
"""

import os
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from vonggac.daemon.crash_points import reach
from vonggac.wire.release import Archive

_SYSTEM_PYTHON = re.compile(r"/usr/bin/python3(\.[0-9]{1,2})?")
_PYTHON = re.compile(r"bin/python[0-9.]{0,5}")
_CHUNK = 256 * 1024
_LONGEST_NAME = 1024


class ArchiveRefused(Exception):
    """The archive is not unpacked: the text says why."""


def unpack(source: Path, target: Path, told: Archive, program: Path) -> None:
    """Into `target`, which does not exist yet; `program` must then be in it.

    Raises ArchiveRefused, OSError; then `target` is half-made.
    """
    os.mkdir(target, 0o755)
    members = written = 0
    name: PurePosixPath | None = None
    try:
        with tarfile.open(source, "r|gz") as packed:
            for member in packed:
                members += 1
                if members > told.members:
                    raise ArchiveRefused(f"has more members than the {told.members} that its manifest says")
                name = _checked_name(member.name)
                if name is None:
                    continue
                place = _checked_place(target, name)
                if member.isdir():
                    place.mkdir(mode=0o755, exist_ok=True)
                elif member.isreg():
                    written += member.size
                    if written > told.unpacked_bytes:
                        raise ArchiveRefused(f"unpacks to more than the {told.unpacked_bytes} bytes of its manifest")
                    content = packed.extractfile(member)
                    assert content is not None  # noqa: S101 - a regular file has content
                    _write(place, content, 0o755 if member.mode & 0o100 else 0o644)
                elif member.issym():
                    _check_link(name, member.linkname)
                    place.symlink_to(member.linkname)
                else:
                    raise ArchiveRefused(f"{_shown(member.name)}: is no file, folder or symbolic link")
                if members == told.members // 2:
                    reach("update.unpacking")
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise ArchiveRefused(f"cannot be read: {type(error).__name__}") from None
    except FileExistsError:
        raise ArchiveRefused(f"{_shown(str(name))}: is in it twice") from None
    if not os.access(target / program, os.X_OK):
        raise ArchiveRefused(f"holds no {program}")


def _checked_name(name: str) -> PurePosixPath | None:
    """Inside the tree; None for the tree itself."""
    path = PurePosixPath(name)
    if "\0" in name or len(name) > _LONGEST_NAME or path.is_absolute() or ".." in path.parts:
        raise ArchiveRefused(f"{_shown(name)}: leads out of the release")
    return path if path.parts else None


def _checked_place(target: Path, name: PurePosixPath) -> Path:
    """Where it goes; its folder is a real one."""
    folder = target
    for part in name.parts[:-1]:
        folder = folder / part
        if folder.is_symlink():
            raise ArchiveRefused(f"{_shown(str(name))}: goes through a link")
        folder.mkdir(mode=0o755, exist_ok=True)
    return target.joinpath(*name.parts)


def _check_link(name: PurePosixPath, leads_to: str) -> None:
    if _SYSTEM_PYTHON.fullmatch(leads_to) and _PYTHON.fullmatch(str(name)):
        return
    end = os.path.normpath(str(name.parent / leads_to))
    if leads_to.startswith("/") or end == ".." or end.startswith("../") or "\0" in leads_to:
        raise ArchiveRefused(f"{_shown(str(name))}: is a link that leads out of the release")


def _write(place: Path, content: IO[bytes], mode: int) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)
    place.chmod(mode)


def _shown(name: str) -> str:
    """A name as a log line takes it."""
    return repr(name[:80])
