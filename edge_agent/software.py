"""Is the program on the disk still the one that was released? (ETSI EN 303 645, 5.7-2: unauthorised changes are told.)

A release carries the SHA-256 of each of its files (`vonggac/wire/release.py`, SUMS). A thread compares them soon after
the start and once a day, slowly, so that looking costs the cameras nothing; the heartbeat tells how many differ, are
missing or were added. A worn card is found the same way as somebody's hand. Compiled files are left out (Python makes
them anew), and the updater's mark. Whoever is root on the box can change the list as well; docs/security.md says so.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_agent.update.layout import OURS
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.release import SUMS, read_sums

log = get_logger(__name__)

FIRST_S, EVERY_S = 60.0, 86_400.0
_STEP_S = 10.0
_CHUNK = 1024 * 1024
_PAUSE_S = 0.02
_TOLD = 5


class Software:
    """`root` is the release's folder; None where the program runs from anywhere else: then nothing is compared."""

    def __init__(
        self, root: Path | None, clock: Clock, stop: Stop, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._root = root
        self._clock = clock
        self._stop = stop
        self._pause = pause
        self.changed: int | None = None
        """How many files are not as released; None before the first look, and without a release."""

    def run(self, pulse: Pulse) -> None:
        """Look soon, then once a day, until the program ends."""
        look_at_ms = self._clock.mono_ms() + FIRST_S * 1000
        while self._root is not None and not self._stop.wait(_STEP_S):
            pulse.beat()
            if self._clock.mono_ms() >= look_at_ms:
                self.look(self._root, pulse)
                look_at_ms = self._clock.mono_ms() + EVERY_S * 1000

    def look(self, root: Path, pulse: Pulse) -> None:
        """Compare all files once."""
        try:
            sums = read_sums((root / SUMS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._tell([f"{SUMS}: {error}"])
            return
        names = list(self._differing(root, sums, pulse))
        if not self._stop.is_set():
            self._tell(names)

    def _differing(self, root: Path, sums: dict[str, str], pulse: Pulse) -> Iterator[str]:
        found = set()
        for path in sorted(root.rglob("*")):
            pulse.beat()
            if self._stop.is_set():
                return
            name = path.relative_to(root).as_posix()
            if path.is_symlink() or not path.is_file() or name in (SUMS, OURS) or path.parent.name == "__pycache__":
                continue
            found.add(name)
            if sums.get(name) != self._digest(path):
                yield name
        yield from sorted(sums.keys() - found)

    def _digest(self, path: Path) -> str | None:
        """None where the disk does not give it."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    self._pause(_PAUSE_S)
        except OSError:
            return None
        return digest.hexdigest()

    def _tell(self, names: list[str]) -> None:
        self.changed = len(names)
        if names:
            log.error("the program is not as it was released: install it anew", files=names[:_TOLD], changed=len(names))


def own_release() -> Path | None:
    """The release that this program runs from, which is Python's environment then; None for any other environment."""
    home = Path(sys.prefix)
    return home if (home / "release.json").is_file() else None
