"""Talk to systemd: ready, stopping, watchdog. Needs systemd-python; without it says so once and goes on."""

import os

from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

try:
    from systemd.daemon import notify as _notify
except ImportError:
    _notify = None


class Notifier:
    """Type=notify and WatchdogSec= of the unit that started us; silent when no unit did."""

    def __init__(self) -> None:
        self._under_systemd = "NOTIFY_SOCKET" in os.environ
        watchdog_us = int(os.environ.get("WATCHDOG_USEC", "0"))
        self.feed_every_s = watchdog_us / 1e6 / 3 if watchdog_us else 10.0
        if self._under_systemd and _notify is None:
            log.error(
                "started by systemd, but systemd-python is missing: install Debian's python3-systemd into this "
                "environment or the extra vonggac[systemd]; without it the watchdog restarts this program"
            )

    def _say(self, text: str) -> None:
        if self._under_systemd and _notify is not None:
            _notify(text)

    def ready(self, status: str) -> None:
        """Start-up is done."""
        self._say(f"READY=1\nSTATUS={status}")

    def waiting(self, status: str, for_s: float) -> None:
        """Start-up waits for something outside; systemd gives it `for_s` more before it counts as failed."""
        self._say(f"EXTEND_TIMEOUT_USEC={for_s * 1e6:.0f}\nSTATUS={status}")

    def stopping(self, reason: str) -> None:
        """Orderly stop has begun."""
        self._say(f"STOPPING=1\nSTATUS=stopping: {reason}")

    def feed_watchdog(self) -> None:
        """Every thread moves."""
        self._say("WATCHDOG=1")
