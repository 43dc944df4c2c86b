"""The post's own screen: the live feed shows an alert as soon as it is committed, so there is nothing left to send."""

from dataclasses import dataclass

from collector.alerts.texts import AlertText, Language


@dataclass(frozen=True)
class ScreenChannel:
    """Always there, on a network without any internet too."""

    name: str = "screen"
    language: Language = "vi"
    may_carry_pictures: bool = False

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        """Nothing: the row itself is the message."""
