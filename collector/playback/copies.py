"""Makes copies on demand: few at a time, each in a process of its own that is ended when it takes too long."""

import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from collector.playback.folder import copy_path, sweep_copies, touch_copy
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)
AT_ONCE = 2
LONGEST_S = 1_200.0
MAX_BYTES = 2 * 10**9
KEEP_FREE_BYTES = 10**9
FAILED_S = 60.0
CopyState = Literal["none", "making", "ready", "failed", "busy", "no_room"]


@dataclass
class _Job:
    process: subprocess.Popen[bytes]
    began_s: float


class Copies:
    """The copies of one data folder; thread-safe."""

    def __init__(self, data: Path, at_once: int = AT_ONCE, longest_s: float = LONGEST_S) -> None:
        self._data = data
        self._at_once = at_once
        self._longest_s = longest_s
        self._jobs: dict[str, _Job] = {}
        self._failed: dict[str, float] = {}
        self._lock = threading.Lock()

    def ready(self, sha256: str) -> Path | None:
        """The copy, if it is whole; it is kept a day longer."""
        path = copy_path(self._data, sha256)
        return path if touch_copy(path) else None

    def state(self, sha256: str) -> CopyState:
        """How far it is."""
        with self._lock:
            known = self._known(sha256)
            if known is not None:
                return known
            return "failed" if time.monotonic() - self._failed.get(sha256, -FAILED_S) < FAILED_S else "none"

    def make(self, sha256: str, source: Path) -> CopyState:
        """Begin, unless it is there or under way. `busy`: others are being made, ask again."""
        with self._lock:
            known = self._known(sha256)
            if known is not None:
                return known
            if len(self._jobs) >= self._at_once:
                return "busy"
            target = copy_path(self._data, sha256)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sweep_copies(self._data, max_bytes=MAX_BYTES)
            if shutil.disk_usage(self._data).free < KEEP_FREE_BYTES + source.stat().st_size:
                return "no_room"
            command = [sys.executable, "-P", "-m", "collector.playback.copying", str(source), str(target)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self._jobs[sha256] = _Job(process, time.monotonic())
            return "making"

    def _known(self, sha256: str) -> CopyState | None:
        self._reap()
        if sha256 in self._jobs:
            return "making"
        return "ready" if self.ready(sha256) is not None else None

    def _reap(self) -> None:
        for sha256, job in list(self._jobs.items()):
            if job.process.poll() is None:
                if time.monotonic() - job.began_s < self._longest_s:
                    continue
                job.process.kill()
                job.process.wait()
            del self._jobs[sha256]
            if job.process.returncode != 0:
                log.warning("no playback copy could be made", clip_sha256=sha256, exit_code=job.process.returncode)
                self._failed[sha256] = time.monotonic()
