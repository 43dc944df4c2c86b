"""Which parts of a collector run over a data folder: each holds a lock there for as long as it lives."""

import fcntl
from contextlib import ExitStack
from pathlib import Path

PARTS = ("ingest", "alerts", "fleet", "web")


def take_part(data: Path, part: str, locks: ExitStack) -> bool:
    """Hold the part's lock until `locks` is closed; False when another process holds it. Raises OSError."""
    file = locks.enter_context((data / f"{part}.lock").open("a", encoding="ascii"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running_parts(data: Path) -> frozenset[str]:
    """The parts that run over this folder now. Raises OSError."""
    running = set()
    for part in PARTS:
        with ExitStack() as locks:
            if (data / f"{part}.lock").exists() and not take_part(data, part, locks):
                running.add(part)
    return frozenset(running)
