"""Log lines as entries of systemd's journal, each field one of the entry's: `journalctl VONGGAC_CAMERA=gate`.

Needs systemd-python and a stderr that is the journal's; otherwise lines go to stderr as everywhere.
"""

import os
import re
from collections.abc import Callable
from typing import Any

try:
    from systemd.journal import send as _send
except ImportError:
    _send = None

Send = Callable[..., None]
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_NOT_A_NAME = re.compile(r"[^A-Z0-9_]")


def journal_of(descriptor: int) -> Send | None:
    """How to write to the journal, when `descriptor` leads there ($JOURNAL_STREAM is its device and inode)."""
    if _send is None:
        return None
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return _send if is_journal else None


def entry(fields: dict[str, Any]) -> dict[str, str]:
    """What goes into the journal for a line's fields; the message holds them too, for people."""
    rest = {key: value for key, value in fields.items() if key not in ("event", "level", "timestamp", "exception")}
    said = " ".join([str(fields.get("event", "")), *(f"{key}={value}" for key, value in rest.items() if key != "part")])
    if "exception" in fields:
        said += f"\n{fields['exception']}"
    told = {"MESSAGE": said, "PRIORITY": str(PRIORITIES.get(str(fields.get("level")), 6))}
    return told | {f"VONGGAC_{_NOT_A_NAME.sub('_', key.upper())}": str(value) for key, value in rest.items()}


class JournalLogger:
    """What structlog writes to: every level's method takes an entry's fields."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def msg(self, **fields: str) -> None:
        """Send one entry."""
        self._send(fields.pop("MESSAGE"), **fields)

    debug = info = warning = warn = error = err = critical = fatal = exception = log = msg
