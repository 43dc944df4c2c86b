"""Files that survive a power cut: write, sync, rename, sync the folder."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make a folder's entries (a rename, a new file, a deletion) durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """`mkdir -p`, each new entry synced in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folders(folder: Path, top: Path) -> None:
    """Sync `folder` and those above it up to `top`.

    `make_folder` alone is not enough for a promise: another thread, or a run that was killed, may have made a folder of
    the path and not yet synced it.
    """
    for each in (folder, *folder.parents):
        sync_folder(each)
        if each == top:
            return


def rename_durably(source: Path, target: Path) -> None:
    """Rename a file whose bytes are already synced, and sync the folders on both ends."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_durably(path: Path) -> None:
    """Delete a file, if it is there, and sync its folder."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace or make `path` with `data`, whole or not at all, with this mode whatever the umask says."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename_durably(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def hand_over(folder: Path, owner_of: Path) -> None:
    """What root made in `folder` belongs to whoever owns `owner_of`, as the service runs as that user."""
    if os.geteuid() != 0:
        return
    owner = owner_of.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
