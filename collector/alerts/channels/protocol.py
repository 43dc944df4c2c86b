"""What a channel is to the delivery queue, and how it says that it could not deliver."""

from typing import Protocol

from collector.alerts.texts import AlertText, Language


class ChannelBusy(Exception):
    """It did not go this time (network, overload, time-out): try again later. The text names no secret."""


class ChannelRefused(Exception):
    """It will never go like this (wrong address, wrong token, refused content): give up and tell. No secret either."""


class Channel(Protocol):
    """One way to reach people. Pictures are given only to a channel that may carry them."""

    @property
    def name(self) -> str:
        """As rules name it."""
        ...

    @property
    def language(self) -> Language:
        """The language of its messages."""
        ...

    @property
    def may_carry_pictures(self) -> bool:
        """False unless somebody allowed it: no picture leaves the district's network by itself."""
        ...

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        """Deliver; `alert` is the alert's id, the same on every try. Raises ChannelBusy or ChannelRefused."""
        ...
