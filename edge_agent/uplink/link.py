"""What the uplink needs of a message link: one thread calls it, only `wake` may come from another. PURE."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us; nothing of an earlier connection is still on its way."""

    protocol: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone, or an attempt failed. `refused`: the broker said no (credentials, rights)."""

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message from the collector."""

    topic: str
    payload: bytes


LinkNews = Connected | Disconnected | Arrived


class Link(Protocol):
    """A connection that comes and goes. Nothing is kept for later: what was not sent before a cut is forgotten."""

    def connect(self) -> None:
        """Try once, within the connect deadline; the outcome comes as news. Nothing while connected or trying."""

    def wait(self, timeout_s: float) -> list[LinkNews]:
        """Move bytes both ways until something arrived, `wake` was called, room came free where there was none, or the
        time is over; return the news."""

    def wake(self) -> None:
        """Make `wait` return now. From any thread."""

    def has_room(self, size_bytes: int, urgent: bool = False) -> bool:
        """True when a message of this size may be published now; `urgent` may use the places kept back for it."""

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Send at QoS 1. False when there is no connection or no room: nothing was queued."""

    def close(self) -> None:
        """Leave in good order (no last will); what is published gets a moment to go out."""
