"""Reading what a request asks for, strictly: unknown and doubled parameters are refused by name. Pure."""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from collector.web.problems import Problem
from vonggac.wire.ids import is_box_id, is_camera_name, is_uuid

MAX_LIMIT = 500
MAX_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def rfc3339(ms: int | None) -> str | None:
    """UTC milliseconds as `2026-11-23T16:05:09.123Z`; `None` stays `None`.

    >>> rfc3339(1_790_000_000_123)
    '2026-09-21T14:13:20.123Z'
    """
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def parse_time(text: str, where: str) -> int:
    """RFC 3339 with a zone, to UTC milliseconds.

    >>> parse_time("2026-09-21T21:13:20.123+07:00", "since")
    1790000000123
    """
    found = _RFC3339.fullmatch(text)
    if found is not None:
        date, clock, fraction, zone = found.groups()
        try:
            moment = datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'Zz' else zone}")
            ms = int(moment.astimezone(UTC).timestamp()) * 1000 + int((fraction or ".0")[1:4].ljust(3, "0"))
        except (ValueError, OverflowError):
            ms = -1
        if 0 <= ms <= MAX_MS:
            return ms
    raise Problem(
        400,
        f"{where}: {text[:60]!r} is no time.",
        where=where,
        hint="Write RFC 3339 with a zone, for example 2026-11-23T16:05:09Z (and + as %2B in a URL).",
    )


def cursor(*key: int | str) -> str:
    """An opaque `after`: the sort key of the last row that was sent."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def parse_cursor(text: str, where: str = "after") -> tuple[int, str]:
    """The (milliseconds, id) that `cursor` wrapped."""
    try:
        key = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    match key:
        case [int(ms), str(name)] if not isinstance(ms, bool) and 0 <= ms <= MAX_MS and len(name) <= 80:
            return ms, name
    raise Problem(
        400,
        f"{where}: is no place in this list.",
        where=where,
        hint="Send back the `next` of the last answer unchanged.",
    )


class Query:
    """The parameters of one request, each read once; `names` are those that the route knows."""

    def __init__(self, items: Iterable[tuple[str, str]], names: Iterable[str]) -> None:
        known = tuple(names)
        self._values: dict[str, str] = {}
        for name, value in items:
            if name not in known:
                hint = f"This address takes: {', '.join(known)}." if known else "This address takes no parameters."
                raise Problem(400, f"{name[:40]}: is no parameter here.", where=name[:40], hint=hint)
            if name in self._values:
                raise Problem(400, f"{name}: is given twice.", where=name, hint="Give it once.")
            if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
                raise Problem(400, f"{name}: holds a character that no text has.", where=name, hint="Remove it.")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        """The value, or `None` where it is absent or empty."""
        return self._values.get(name) or None

    def time_ms(self, name: str) -> int | None:
        """An RFC 3339 time as UTC milliseconds."""
        text = self.text(name)
        return None if text is None else parse_time(text, name)

    def limit(self, default: int = 100) -> int:
        """`limit`, 1 to MAX_LIMIT."""
        text = self.text("limit")
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_LIMIT):
            raise Problem(400, f"limit: {text[:40]!r} is out of range.", where="limit", hint=f"Give 1 to {MAX_LIMIT}.")
        return int(text)

    def after(self) -> tuple[int, str] | None:
        """The place in the list where the last answer ended."""
        return self.place("after")

    def place(self, name: str) -> tuple[int, str] | None:
        """A place in a list."""
        text = self.text(name)
        return None if text is None else parse_cursor(text, name)

    def one_of(self, name: str, choices: Iterable[str]) -> str | None:
        """One of the words that are allowed."""
        text = self.text(name)
        allowed = tuple(choices)
        if text is not None and text not in allowed:
            raise Problem(400, f"{name}: {text[:40]!r} is unknown.", where=name, hint=f"Give {' or '.join(allowed)}.")
        return text

    def camera(self) -> tuple[str | None, str] | None:
        """`camera=BOX/NAME`, or `camera=NAME` for that name on every box."""
        text = self.text("camera")
        if text is None:
            return None
        box, slash, name = text.rpartition("/")
        if is_camera_name(name) and (not slash or is_box_id(box)):
            return (box or None), name
        raise Problem(
            400,
            f"camera: {text[:60]!r} is no camera.",
            where="camera",
            hint="Give NAME or BOX/NAME, as in /api/v1/cameras.",
        )


def require_uuid(text: str, what: str) -> str:
    """A UUID from a path; anything else is simply not there."""
    if not is_uuid(text):
        raise Problem(404, f"There is no {what} {text[:60]!r}.", where=what, hint="Ids are UUIDs in lower case.")
    return text
