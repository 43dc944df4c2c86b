"""The duty roster as two channels: `duty` tells whoever is on duty at that moment, `duty-next` who comes after them.

An alert that is tried again goes to whoever is on duty then and has not had it. Where the roster has nobody it goes to
`otherwise`.
"""

from collections.abc import Callable, Mapping, Sequence

from collector.alerts.channels.protocol import Channel
from collector.alerts.channels.recipients import Recipients
from collector.alerts.texts import AlertText, Language

DUTY, DUTY_NEXT = "duty", "duty-next"


class DutyChannel:
    """`whom` names the channels that are told now; `channels` holds them by name."""

    def __init__(
        self,
        name: str,
        channels: Mapping[str, Channel],
        whom: Callable[[], Sequence[str]],
        otherwise: Sequence[str],
        language: Language = "vi",
    ) -> None:
        self.name = name
        self.language: Language = language
        self._channels = channels
        self._whom = whom
        self._otherwise = otherwise
        self._recipients = Recipients()

    @property
    def may_carry_pictures(self) -> bool:
        """One of them may; the others get none."""
        return any(channel.may_carry_pictures for channel in self._channels.values())

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        """Tell each of them that has not been told yet. Raises as `Recipients.send`."""
        told = {name: self._channels[name] for name in self._whom() or self._otherwise}
        self._recipients.send(
            alert, told, lambda channel: channel.send(alert, text, picture if channel.may_carry_pictures else None)
        )
