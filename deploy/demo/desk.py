"""What the demo sees of the collector, from outside: its HTTP API and its live feed, and when each thing arrived."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

Json = dict[str, Any]
_TIMEOUT_S = (3.0, 10.0)
_SILENCE_S = 25.0  # the feed beats every 10 s


class DeskUnavailable(Exception):
    """The collector does not answer, or not as it should: try again, or tell."""


def wall_ms(text: str) -> int:
    """RFC 3339 to integer UTC milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def now_ms() -> int:
    """UTC in integer milliseconds."""
    return time.time_ns() // 1_000_000


class Desk:
    """The collector's API for one signed-in user."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between processes of one machine

    def is_well(self) -> bool:
        """True when it answers."""
        try:
            return self._session.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def sign_in(self, name: str, password: str) -> None:
        """Signs in as a person would. Raises DeskUnavailable."""
        page = self._send("GET", "/login").text
        tie = re.search(r'name="form" value="([^"]*)"', page)
        if tie is None:
            raise DeskUnavailable("the page for signing in has no form")
        answer = self._send(
            "POST", "/login", data={"form": tie[1], "name": name, "password": password, "next": "/"}, redirect=False
        )
        if answer.status_code != 303:
            raise DeskUnavailable(f"signing in was refused with {answer.status_code}")

    def cameras(self) -> list[Json]:
        """All cameras as they are now."""
        return list(self._send("GET", "/api/v1/cameras").json()["items"])

    def boxes(self) -> list[Json]:
        """All boxes as they are now."""
        return list(self._send("GET", "/api/v1/boxes").json()["items"])

    def episodes(self, since_ms: int) -> list[Json]:
        """All episodes that began after that moment."""
        since = datetime.fromtimestamp(since_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found: list[Json] = []
        asked = {"since": since, "limit": "100"}
        while True:
            answer = self._send("GET", "/api/v1/episodes", params=asked).json()
            found += answer["items"]
            if not answer["next"]:
                return found
            asked["after"] = answer["next"]

    def live(self, last_id: str | None) -> requests.Response:
        """The live feed, open. Raises DeskUnavailable."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        return self._send("GET", "/api/v1/live", headers=headers, stream=True, timeout=(3.0, _SILENCE_S))

    def _send(self, method: str, path: str, *, redirect: bool = True, **how: Any) -> requests.Response:
        how.setdefault("timeout", _TIMEOUT_S)
        try:
            answer = self._session.request(method, self.url + path, allow_redirects=redirect, **how)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise DeskUnavailable(str(error)) from None
        return answer


@dataclass
class Heard:
    """What the live feed has told so far."""

    motion_to_alert_ms: dict[str, int] = field(default_factory=dict)
    alerts_sent: set[str] = field(default_factory=set)


class Ear(threading.Thread):
    """Listens to the live feed; `tell` gets each event as (name, data, ms of arrival)."""

    def __init__(self, desk: Desk, tell: Callable[[str, Json, int], None]) -> None:
        super().__init__(name="ear", daemon=True)
        self._desk = desk
        self._tell = tell
        self._ending = threading.Event()
        self._since_ms = now_ms()
        self.listening = threading.Event()
        self.heard = Heard()

    def run(self) -> None:
        """Listens until asked to end; comes back after a break where it was."""
        last_id: str | None = None
        while not self._ending.is_set():
            try:
                with self._desk.live(last_id) as feed:
                    self.listening.set()
                    for event_id, name, data in events_of(feed.iter_content(None)):
                        arrived_ms = now_ms()
                        last_id = event_id or last_id
                        self._take(name, json.loads(data), arrived_ms)
                        if self._ending.is_set():
                            return
            except (DeskUnavailable, requests.RequestException, ValueError):
                self._ending.wait(0.3)

    def end(self) -> None:
        """No more is taken."""
        self._ending.set()

    def _take(self, name: str, data: Json, arrived_ms: int) -> None:
        if name == "episode" and data["id"] not in self.heard.motion_to_alert_ms:
            start_ms = wall_ms(data["start"])
            if start_ms >= self._since_ms:
                self.heard.motion_to_alert_ms[data["id"]] = arrived_ms - start_ms
        if name == "alert" and data["state"] == "sent":
            self.heard.alerts_sent.add(str(data["id"]))
        self._tell(name, data, arrived_ms)


def events_of(chunks: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    """Server-sent events as (id, name, data), each as soon as its last byte is here."""
    waiting = b""
    for chunk in chunks:
        waiting += chunk
        while b"\n\n" in waiting:
            block, _, waiting = waiting.partition(b"\n\n")
            fields = {"id": "", "event": "message", "data": ""}
            for line in block.decode("utf-8").splitlines():
                key, _, value = line.partition(": ")
                if key in fields:
                    fields[key] = value
            if fields["data"]:
                yield fields["id"], fields["event"], fields["data"]


def percentile(figures: list[int], share: float) -> int | None:
    """The smallest figure that at least this share does not exceed; None of nothing."""
    if not figures:
        return None
    ordered = sorted(figures)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]
