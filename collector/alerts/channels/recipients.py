"""The recipients behind one channel: a try goes only to those that have not taken the alert yet, nor refused it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused

REMEMBERED = 1000
"""Alerts that some took and some did not; of the oldest it is forgotten who did."""
_PASSING = frozenset({408, 409, 423, 425, 429})
Recipient = TypeVar("Recipient")


def is_final(status: int) -> bool:
    """Whether an HTTP status says that the same request will never be taken."""
    return 400 <= status < 500 and status not in _PASSING


class Recipients:
    """Remembers of each alert that is under way who is done with it. Those behind it may change between two tries."""

    def __init__(self) -> None:
        self._done: dict[str, dict[str, str | None]] = {}
        """By alert and name: why it was refused; None: it was taken."""

    def send(self, alert: str, recipients: Mapping[str, Recipient], deliver: Callable[[Recipient], None]) -> None:
        """Deliver to each that is left; errors name them by their keys. Raises ChannelBusy while one may still take it,
        then ChannelRefused for those that never will: a refusal by one is a refusal, a person must look.
        """
        done = self._done.setdefault(alert, {})
        busy = []
        for name, recipient in recipients.items():
            if name in done:
                continue
            try:
                deliver(recipient)
            except ChannelBusy as error:
                busy.append(f"{name}: {error}")
            except ChannelRefused as error:
                done[name] = f"{name}: {error}"
            else:
                done[name] = None
        refused = [why for why in done.values() if why is not None]
        if busy:
            while len(self._done) > REMEMBERED:
                self._done.pop(next(iter(self._done)), None)
            raise ChannelBusy("; ".join(busy + refused))
        self._done.pop(alert, None)
        if refused:
            raise ChannelRefused("; ".join(refused))
