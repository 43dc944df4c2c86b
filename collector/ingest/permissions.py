"""Telling Mosquitto who may connect, through its dynamic-security plugin. Pure: MqttIngest carries the messages.

Rules: a box that may connect is a client of that plugin with a role of its own: publish under its `up/`, hear its
`down/`, nothing else. A box that may not is deleted there, which cuts its open session at once and leaves a later one
without any right (measured on Mosquitto 2.0.11: a client that is only *disabled* is cut too, but comes back and
publishes as before, because with `use_identity_as_username` no password is ever asked). A box that was replaced is
deleted and made anew, so that the session of the old certificate ends; new ones with it are refused by the list of
revoked certificates. What the broker really has is asked at every connection and every LIST_EVERY_MS, so that whatever
was lost in between is put right.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vonggac.wire.ids import is_box_id
from vonggac.wire.topics import ROOT

TOPIC = "$CONTROL/dynamic-security/v1"
ANSWERS = f"{TOPIC}/response"
LIST_EVERY_MS = 60_000
LOOK_EVERY_MS = 1_000
ANSWER_WITHIN_MS = 10_000
_PAGE = 200
_AT_ONCE = 40
_HARMLESS = ("already exists", "not found")


class Permissions:
    """`boxes` of `due` says who may connect, each with the moment (ms, 0: never) since which older sessions may not."""

    def __init__(self) -> None:
        self._has: dict[str, str] = {}
        self._listing: dict[str, str] = {}
        self._is_known = False
        self._asked_mono_ms: float | None = None
        self._listed_mono_ms = 0.0
        self._looked_mono_ms = 0.0
        self.complaints: list[str] = []
        """What the broker refused; whoever reads it empties it."""

    def connected(self) -> None:
        """A new connection: nothing is known of the broker."""
        self._is_known, self._asked_mono_ms, self._looked_mono_ms = False, None, 0.0

    def is_due(self, mono_ms: float) -> bool:
        """Is it time to look who may connect?"""
        return mono_ms - self._looked_mono_ms >= LOOK_EVERY_MS

    def due(self, boxes: Mapping[str, int], mono_ms: float) -> Iterator[bytes]:
        """What to publish under TOPIC now."""
        self._looked_mono_ms = mono_ms
        if self._is_known and mono_ms - self._listed_mono_ms >= LIST_EVERY_MS:
            self._is_known, self._asked_mono_ms = False, None
        if not self._is_known:
            if self._asked_mono_ms is not None and mono_ms - self._asked_mono_ms < ANSWER_WITHIN_MS:
                return
            if self._asked_mono_ms is not None:
                self.complaints.append("no answer from the dynamic-security plugin")
            self._asked_mono_ms, self._listed_mono_ms, self._listing = mono_ms, mono_ms, {}
            yield _message([_list(0)])
            return
        wanted = {box: f"since {since_ms}" for box, since_ms in boxes.items()}
        gone = [box for box, since in self._has.items() if wanted.get(box) != since]
        commands = [each for box in gone for each in _end(box)]
        commands += [
            each for box, since in wanted.items() if self._has.get(box) != since for each in _begin(box, since)
        ]
        self._has = wanted
        for first in range(0, len(commands), _AT_ONCE):
            yield _message(commands[first : first + _AT_ONCE])

    def heard(self, payload: bytes) -> bytes | None:
        """An answer of the broker; returns what to publish next, if anything."""
        try:
            answers = json.loads(payload)["responses"]
        except (ValueError, KeyError, TypeError):
            self.complaints.append("an answer that makes no sense")
            return None
        following: list[dict[str, Any]] = []
        for answer in answers:
            error = str(answer.get("error", ""))
            if error and not any(word in error.lower() for word in _HARMLESS):
                self.complaints.append(f"{answer.get('command')}: {error}")
                self._is_known = False
            elif answer.get("command") == "listClients" and not error:
                following += self._take_page(answer.get("data", {}))
        return _message(following) if following else None

    def _take_page(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        page = data.get("clients", [])
        for client in page:
            name = str(client.get("username", ""))
            if is_box_id(name):
                is_well = not client.get("disabled") and client.get("roles") == [{"rolename": _role(name)}]
                self._listing[name] = str(client.get("textdescription", "")) if is_well else ""
        if page and len(page) == _PAGE:
            return [_list(int(data.get("offset", 0)) + _PAGE)]
        self._has, self._is_known = self._listing, True
        self._looked_mono_ms = 0.0
        return []


def _role(box: str) -> str:
    return f"box:{box}"


def _begin(box: str, since: str) -> list[dict[str, Any]]:
    rules = (
        ("publishClientSend", f"{ROOT}/{box}/up/#"),
        ("publishClientReceive", f"{ROOT}/{box}/down/#"),
        ("subscribePattern", f"{ROOT}/{box}/down/#"),
    )
    acls = [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in rules]
    return [
        {"command": "createRole", "rolename": _role(box), "acls": acls},
        {
            "command": "createClient",
            "username": box,
            "textdescription": since,
            "roles": [{"rolename": _role(box), "priority": 0}],
        },
    ]


def _end(box: str) -> list[dict[str, Any]]:
    return [
        {"command": "deleteClient", "username": box},
        {"command": "deleteRole", "rolename": _role(box)},
    ]


def _list(offset: int) -> dict[str, Any]:
    return {"command": "listClients", "verbose": True, "count": _PAGE, "offset": offset}


def _message(commands: list[dict[str, Any]]) -> bytes:
    return json.dumps({"commands": commands}).encode()
