"""The recipients behind one channel: a try goes only to those that have not taken the alert yet."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused

REMEMBERED = 1000
"""Alerts that some took and some did not; of the oldest it is forgotten who did."""
_PASSING = frozenset({408, 409, 423, 425, 429})
Recipient = TypeVar("Recipient")


def is_final(status: int) -> bool:
    """Whether an HTTP status says that the same request will never be taken."""
    return 400 <= status < 500 and status not in _PASSING


class Recipients(Generic[Recipient]):
    """`what` and a number, from 1, name each of them in errors: their addresses hold secrets."""

    def __init__(self, what: str, recipients: Sequence[Recipient]) -> None:
        self._what = what
        self._recipients = recipients
        self._taken: dict[str, set[int]] = {}

    def send(self, alert: str, deliver: Callable[[Recipient], None]) -> None:
        """Deliver to each that is left. Raises ChannelBusy while one may still take it, then ChannelRefused for those
        that never will: a refusal by one is a refusal, a person must look.
        """
        taken = self._taken.setdefault(alert, set())
        busy, refused = [], []
        for number, recipient in enumerate(self._recipients, 1):
            if number in taken:
                continue
            try:
                deliver(recipient)
            except ChannelBusy as error:
                busy.append(f"{self._what} {number}: {error}")
            except ChannelRefused as error:
                refused.append(f"{self._what} {number}: {error}")
            else:
                taken.add(number)
        if busy:
            while len(self._taken) > REMEMBERED:
                del self._taken[next(iter(self._taken))]
            raise ChannelBusy("; ".join(busy + refused))
        del self._taken[alert]
        if refused:
            raise ChannelRefused("; ".join(refused))
