"""The audit log: who did what, appended, each line chained to the one before by its SHA-256, and never changed.

A line's hash covers every column and the hash of the line before; the database itself refuses UPDATE and DELETE.
Whoever holds the database's file can still rewrite all of it, so a person keeps a seal (a number and its hash)
elsewhere: a log that was cut short or written anew no longer holds it. Lines are kept for ever.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, insert, select

from collector.store.schema import audit

Action = Literal[
    "sign_in", "sign_in_failed", "sign_in_slowed", "sign_out", "view", "export", "acknowledge", "decide", "hand_over",
    "close", "reopen", "mute", "lift_mute", "delete", "hold", "configure",
    "command", "maintain", "lift_maintenance", "visit", "read_audit", "refused",
]  # fmt: skip
By = Literal["session", "token", "console", "collector", "nobody"]
ACTIONS: tuple[Action, ...] = get_args(Action)

FIRST = "0" * 64
"""What the first line is chained to."""
_STEP = 1000


@dataclass(frozen=True, kw_only=True)
class Act:
    """What somebody did. `who` is a user's name as typed, USER/TOKEN for a program, a login name for the console.

    `thing` and `ref` name what it was done to; `camera` (BOX/NAME) and `incident` are what an auditor searches by.
    """

    action: Action
    who: str
    by: By
    role: str | None = None
    address: str | None = None
    thing: str | None = None
    ref: str | None = None
    camera: str | None = None
    incident: str | None = None
    commune: str | None = None
    detail: dict[str, str | int | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Line(Act):
    """An act as it stands in the log; numbers count from 1 without a hole."""

    number: int
    wall_ms: int
    previous: str
    hash: str


@dataclass(frozen=True)
class Seal:
    """The newest line's number and hash; 0 and FIRST for an empty log."""

    number: int = 0
    hash: str = FIRST


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which lines; None means any. Times bound since ≤ wall < until, `before` is the number of the last line shown.

    `communes`: only lines that name one of these, so none of signing in.
    """

    who: str | None = None
    by: By | None = None
    action: str | None = None
    camera: str | None = None
    incident: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
    limit: int = 100
    communes: tuple[str, ...] | None = None


def append(connection: Connection, act: Act, now_ms: int) -> Seal:
    """Write a line, in the transaction of what it tells of: either both are there or neither."""
    last = newest(connection)
    values: dict[str, Any] = {name: getattr(act, name) for name in Act.__dataclass_fields__}
    values |= {"number": last.number + 1, "wall_ms": now_ms, "previous": last.hash}
    values["hash"] = hash_of(values)
    connection.execute(insert(audit).values(**values))
    return Seal(values["number"], values["hash"])


def newest(connection: Connection) -> Seal:
    """The seal of the whole log."""
    row = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    return Seal() if row is None else Seal(*row)


def hash_of(values: dict[str, Any]) -> str:
    """SHA-256 over every column but the hash itself, as JSON with sorted names, UTF-8."""
    covered = {name: value for name, value in values.items() if name != "hash"}
    text = json.dumps(covered, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def was_noted(connection: Connection, act: Act, since_ms: int) -> bool:
    """True when the same act of the same person on the same thing has a line since then."""
    same = [
        audit.c[name].is_(None) if getattr(act, name) is None else audit.c[name] == getattr(act, name)
        for name in ("who", "by", "action", "thing", "ref")
    ]
    query = select(audit.c.number).where(*same, audit.c.wall_ms >= since_ms).limit(1)
    return connection.execute(query).first() is not None


def list_lines(connection: Connection, sought: Sought) -> list[Line]:
    """Lines, newest first."""
    query = select(audit).order_by(audit.c.number.desc()).limit(sought.limit)
    for name in ("who", "by", "action", "camera", "incident"):
        if getattr(sought, name) is not None:
            query = query.where(audit.c[name] == getattr(sought, name))
    for condition in _bounds(sought):
        query = query.where(condition)
    return [Line(**row) for row in connection.execute(query).mappings()]


def _bounds(sought: Sought) -> Iterator[ColumnElement[bool]]:
    if sought.since_ms is not None:
        yield audit.c.wall_ms >= sought.since_ms
    if sought.until_ms is not None:
        yield audit.c.wall_ms < sought.until_ms
    if sought.communes is not None:
        yield audit.c.commune.in_(sought.communes)
    if sought.before is not None:
        yield audit.c.number < sought.before


def verify(connection: Connection, kept: Seal | None = None) -> Iterator[str]:
    """What is wrong with the log, in words; nothing when every line is what it was. `kept` is a seal from elsewhere."""
    last = Seal()
    holds_kept = kept is None or kept == last
    while True:
        query = select(audit).where(audit.c.number > last.number).order_by(audit.c.number).limit(_STEP)
        rows = connection.execute(query).mappings().all()
        if not rows:
            break
        for row in rows:
            number = row["number"]
            if number != last.number + 1:
                yield f"lines {last.number + 1} to {number - 1} are missing"
            elif row["previous"] != last.hash:
                yield f"line {number} does not follow the line before it"
            if row["hash"] != hash_of(dict(row)):
                yield f"line {number} was changed"
            last = Seal(number, row["hash"])
            holds_kept = holds_kept or last == kept
    if kept is not None and not holds_kept:
        yield (
            f"the log ends at line {last.number}, the seal is of line {kept.number}: the end was cut off"
            if kept.number > last.number
            else f"line {kept.number} is not the one of the seal: the log was written anew"
        )
