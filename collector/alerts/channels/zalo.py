"""Zalo as a channel: a bot of the district's own writes to the people who have written to it once.

The bot API (bot.zaloplatforms.com/docs, read November 2026): POST JSON to /bot<TOKEN>/sendMessage (`chat_id`, `text` of
1 to 2,000 characters) or /sendPhoto (`chat_id`, `photo`, `caption`); HTTP 200 alone is no success, `ok` in the answer
is. A photo is given as a URL that Zalo's own servers fetch, so a picture is lent under a link for a few minutes
(lending.py), and only by a channel that may carry pictures. The token stands in the URL: it never gets into an error
or a log. Text goes plain, so that names of zones and sites cannot be taken for markup.
"""

from collections.abc import Callable
from typing import Any

import requests

from collector.alerts.channels.protocol import ChannelBusy, ChannelRefused
from collector.alerts.channels.recipients import Recipients, is_final
from collector.alerts.texts import AlertText, Language

API = "https://bot-api.zaloplatforms.com"
LONGEST = 2000
CONNECT_S = 5.0
READ_S = 15.0

Lend = Callable[[bytes], str]
"""Gives the address under which a picture can be fetched for a few minutes."""


class ZaloChannel:
    """People reached through a bot. One that took an alert is not sent it again when another is tried again."""

    def __init__(
        self,
        name: str,
        token: str,
        chats: tuple[str, ...],
        language: Language = "vi",
        lend: Lend | None = None,
        api: str = API,
        read_s: float = READ_S,
    ) -> None:
        self.name = name
        self.language: Language = language
        self._token = token
        self._chats = {f"chat {number}": chat for number, chat in enumerate(chats, 1)}
        self._recipients = Recipients()
        self._lend = lend
        self._api = api
        self._read_s = read_s

    @property
    def may_carry_pictures(self) -> bool:
        """Only with somewhere to lend them from."""
        return self._lend is not None

    def send(self, alert: str, text: AlertText, picture: bytes | None) -> None:
        """Send to each chat that has not taken it."""
        self._recipients.send(alert, self._chats, lambda chat: self._say(chat, text, picture))

    def heard_from(self, wait_s: int = 30) -> tuple[str, str] | None:
        """Who writes to the bot next: chat id and name; None when nobody does. Raises ChannelBusy or ChannelRefused."""
        try:
            found = self._ask("getUpdates", {"timeout": wait_s}, wait_s + self._read_s)
        except ChannelBusy as error:
            if "408" in str(error):  # that is how it says that nobody wrote
                return None
            raise
        message = found.get("message") if isinstance(found, dict) else None
        if not isinstance(message, dict) or not isinstance(message.get("chat"), dict):
            return None
        sender = message.get("from")
        name = sender.get("display_name") if isinstance(sender, dict) else None
        return str(message["chat"].get("id")), str(name or "?")

    def _say(self, chat: str, text: AlertText, picture: bytes | None) -> None:
        words = clipped(f"{text.title}\n{text.body}")
        if picture is not None and self._lend is not None:
            try:
                self._ask("sendPhoto", {"chat_id": chat, "photo": self._lend(picture), "caption": words})
            except ChannelRefused:
                pass  # a picture that cannot be fetched from there must not cost the alert
            else:
                return
        self._ask("sendMessage", {"chat_id": chat, "text": words})

    def _ask(self, method: str, body: dict[str, Any], read_s: float | None = None) -> Any:
        """The answer's `result`."""
        url = f"{self._api}/bot{self._token}/{method}"
        try:
            answer = requests.post(url, json=body, timeout=(CONNECT_S, read_s or self._read_s), allow_redirects=False)
        except requests.RequestException:
            raise ChannelBusy("no answer") from None  # the exception's text names the URL, and with it the token
        try:
            told = answer.json()
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        if answer.status_code == 200 and told.get("ok") is True:
            return told.get("result")
        code = told.get("error_code")
        if not isinstance(code, int) or isinstance(code, bool):
            code = answer.status_code
        if is_final(code):
            raise ChannelRefused(f"error {code}")
        raise ChannelBusy(f"error {code}")


def clipped(text: str) -> str:
    """At most LONGEST characters, with … where more was said.

    >>> clipped("a" * 3000)[-2:], len(clipped("a" * 3000))
    ('a…', 2000)
    """
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
