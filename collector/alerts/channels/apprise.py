"""Apprise as a channel: ntfy, e-mail, webhooks, SMS gateways and a hundred more, by URL.

Apprise answers yes or no and writes the reason to its log; the reason is read from there, reduced to what holds no
secret (its log and its URLs may hold tokens). One channel may have several addresses; a try sends only to those that
have not taken this alert yet.
"""

import logging
import re
import threading

from apprise import Apprise, AppriseAttachment, NotifyBase, NotifyFormat, NotifyType
from apprise.attachment.memory import AttachMemory

from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused
from collector.alerts.channels.recipients import Recipients, is_final
from collector.alerts.texts import AlertText, Language
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)
CONNECT_S = 5.0
READ_S = 10.0
_apprise_log = logging.getLogger("apprise")
_apprise_log.addHandler(logging.NullHandler())
_apprise_log.propagate = False  # it names addresses, and with them their tokens
_STATUS = re.compile(r"error=(\d{3})\b")


class AppriseChannel:
    """People reached through Apprise. Raises ValueError for an address that Apprise does not understand."""

    def __init__(
        self,
        name: str,
        urls: tuple[str, ...],
        language: Language = "vi",
        may_carry_pictures: bool = False,
        read_s: float = READ_S,
    ) -> None:
        self.name = name
        self.language: Language = language
        self.may_carry_pictures = may_carry_pictures
        if not urls:
            raise ValueError(f"channel {name}: no address; its file needs one Apprise URL a line")
        self._services: dict[str, NotifyBase] = {}
        for number, url in enumerate(urls, 1):
            service = Apprise.instantiate(url, suppress_exceptions=True)
            if service is None:
                raise ValueError(f"channel {name}: address {number} is no URL that Apprise understands")
            service.socket_connect_timeout = CONNECT_S
            service.socket_read_timeout = read_s
            self._services[f"address {number}"] = service  # named so in errors: the URL holds secrets
        self._recipients = Recipients()

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        """Send to each address that has not taken it."""
        self._recipients.send(alert, self._services, lambda service: self._notify(service, text, picture))

    def _notify(self, service: NotifyBase, text: AlertText, picture: bytes | None) -> None:
        with _Overheard() as overheard:
            went = service.notify(
                body=text.body,
                title=text.title,
                notify_type=NotifyType.WARNING if text.rings else NotifyType.INFO,
                body_format=NotifyFormat.TEXT,
                attach=_attachment(picture) if picture is not None and self.may_carry_pictures else None,
            )
        if went:
            return
        if overheard.status is None:
            raise ChannelBusy("no answer")
        if is_final(overheard.status):
            raise ChannelRefused(f"HTTP {overheard.status}")
        raise ChannelBusy(f"HTTP {overheard.status}")


def read_urls(text: str) -> tuple[str, ...]:
    """The addresses of a channel's file: one a line; empty lines and lines with # in front do not count."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _attachment(picture: bytes) -> AppriseAttachment:
    attachment = AppriseAttachment()
    attachment.add(AttachMemory(content=picture, name="vonggac.jpg", mimetype="image/jpeg"))  # type: ignore[no-untyped-call]
    return attachment


class _Overheard(logging.Handler):
    """What Apprise logs in this thread while it sends: the HTTP status, and nothing else of it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.status: int | None = None
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status of the last complaint."""
        found = _STATUS.search(record.getMessage()) if record.thread == self._thread else None
        if found is not None:
            self.status = int(found.group(1))

    def __enter__(self) -> "_Overheard":
        _apprise_log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _apprise_log.removeHandler(self)
