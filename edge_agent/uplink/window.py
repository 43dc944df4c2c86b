"""How many events may be under way at once. PURE: time comes in as ms.

Rules: it grows by what has its receipt, so it doubles within a round trip, while receipts come as soon as they ever did
on this connection, and halves when they come later than that: then what was sent stands in a queue, at a slow server or
before a narrow line, and a new alert would stand behind it. The shortest wait stands for the way itself, as the base
delay does in LEDBAT (RFC 6817): a long way is no queue.
"""

SMALLEST = 16
LARGEST = 512
LONGEST_QUEUE_MS = 500.0


class SendWindow:
    """`size` is what may be under way; one object a connection, or `restart` it."""

    def __init__(self) -> None:
        self.size = SMALLEST
        self._soonest_ms = float("inf")

    def restart(self) -> None:
        """A new connection, perhaps another way."""
        self.shrink()
        self._soonest_ms = float("inf")

    def shrink(self) -> None:
        """Nothing is heard at all."""
        self.size = SMALLEST

    def heard(self, wait_ms: float, events: int) -> None:
        """A receipt for so many events came so long after the last of them had been sent."""
        self._soonest_ms = min(self._soonest_ms, wait_ms)
        if wait_ms - self._soonest_ms > LONGEST_QUEUE_MS:
            self.size = max(SMALLEST, self.size // 2)
        else:
            self.size = min(LARGEST, self.size + events)
