"""Talk to systemd: ready, stopping, watchdog.

The protocol is sd_notify(3): a datagram to the socket named by $NOTIFY_SOCKET. Our own dozen lines, so that a box
without python3-systemd is watched all the same.
"""

import os
import socket

from vonggac.daemon.logs import get_logger

log = get_logger(__name__)


class Notifier:
    """Type=notify and WatchdogSec= of the unit that started us; silent when no unit did."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watchdog_us = int(os.environ.get("WATCHDOG_USEC", "0"))
        self.feed_every_s = watchdog_us / 1e6 / 3 if watchdog_us else 10.0

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.connect(address)
                line.sendall(text.encode())
        except OSError as error:
            log.error("systemd cannot be told", reason=str(error), what=text.split("\n", maxsplit=1)[0])

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
