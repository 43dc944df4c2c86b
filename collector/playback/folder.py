"""Where copies stand: `playback/SHA256.mp4` below the data folder, by the hash of the clip that they are of.

They are a cache and no evidence: no row speaks of them, no backup holds them, they go a day after they were last
watched, and at once with their clip.
"""

import os
import time
from pathlib import Path

FOLDER = "playback"
KEPT_S = 86_400.0


def copy_path(data: Path, sha256: str) -> Path:
    """Where the copy of the clip with this hash stands once it is whole."""
    return data / FOLDER / f"{sha256}.mp4"


def touch_copy(path: Path) -> bool:
    """It is watched now; False when there is none."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def forget_copy(data: Path, sha256: str) -> None:
    """The clip goes, so its copy does."""
    copy_path(data, sha256).unlink(missing_ok=True)


def sweep_copies(data: Path, now_s: float | None = None, kept_s: float = KEPT_S, max_bytes: int | None = None) -> int:
    """Remove what nobody watched for a while, what a crash left, and the oldest beyond `max_bytes`; how many went."""
    folder, now_s = data / FOLDER, time.time() if now_s is None else now_s
    if not folder.is_dir():
        return 0
    found = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((status.st_mtime, status.st_size, path))
    gone, kept_bytes = 0, 0
    for watched_s, size, path in sorted(found, reverse=True):
        kept_bytes += size
        if now_s - watched_s > kept_s or (max_bytes is not None and kept_bytes > max_bytes):
            path.unlink(missing_ok=True)
            gone += 1
    return gone
