"""The auditor's page and its JSON: who did what, newest first, searched by person, act, camera, incident and day."""

from dataclasses import replace

from starlette.responses import JSONResponse, Response

from collector.store import audit
from collector.store import desk as rows
from collector.store.audit import ACTIONS, Line, Sought
from collector.store.users import plain_name
from collector.web.api import query_of
from collector.web.auditing import note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.query import cursor, require_uuid, rfc3339
from collector.web.render import render
from collector.web.shapes import Json

ON_ONE_PAGE = 100
_DAY_MS = 86_400_000


def audit_json(desk: Desk, asked: Asked) -> Response:
    """Lines, newest first, and the seal of the whole log."""
    query = query_of(asked, "who", "action", "camera", "incident", "since", "until", "limit", "after")
    place = query.after()
    sought = _sought(asked, query.text("who"), query.text("camera"), query.text("incident"))
    sought = replace(
        sought,
        action=query.one_of("action", ACTIONS),
        since_ms=query.time_ms("since"),
        until_ms=query.time_ms("until"),
        before=None if place is None else place[0],
        limit=query.limit(),
    )
    note_view(desk, asked, "read_audit")
    with desk.database.read() as connection:
        found, seal = audit.list_lines(connection, sought), audit.newest(connection)
    more = cursor(found[-1].number, "") if len(found) == sought.limit else None
    items = [line_json(line) for line in found]
    return JSONResponse({"items": items, "next": more, "seal": {"number": seal.number, "hash": seal.hash}})


def page(desk: Desk, asked: Asked) -> Response:
    """The auditor's page. Looking at it is an act of its own."""
    query = query_of(asked, "who", "action", "camera", "incident", "day", "after")
    place, day_text = query.after(), query.text("day")
    sought = _sought(asked, query.text("who"), query.text("camera"), query.text("incident"))
    sought = replace(
        sought,
        action=query.one_of("action", ACTIONS),
        before=None if place is None else place[0],
        limit=ON_ONE_PAGE,
    )
    if day_text is not None:
        day_ms = asked.formats.day_begins_ms(day_text)
        if day_ms is None:
            raise Problem(
                400, f"day: {day_text[:40]!r} is no day.", where="day", hint="Write 2026-11-26 or 26/11/2026."
            )
        sought = replace(sought, since_ms=day_ms, until_ms=day_ms + _DAY_MS)
    note_view(desk, asked, "read_audit")
    with desk.database.read() as connection:
        found, seal = audit.list_lines(connection, sought), audit.newest(connection)
        waiting = rows.waiting_in(connection, asked.who.reach)
    return render(
        desk,
        asked,
        "audit.html",
        lines=found,
        seal=seal,
        actions=ACTIONS,
        sought=sought,
        day=day_text,
        more=cursor(found[-1].number, "") if len(found) == ON_ONE_PAGE else None,
        waiting=waiting,
    )


def _sought(asked: Asked, who: str | None, camera: str | None, incident: str | None) -> Sought:
    if incident is not None:
        require_uuid(incident, "incident")
    if camera is not None and "/" not in camera:
        raise Problem(400, f"camera: {camera[:60]!r} is no camera.", where="camera", hint="Give BOX/NAME.")
    communes = asked.who.reach.whole_communes()
    return Sought(who=None if who is None else plain_name(who), camera=camera, incident=incident, communes=communes)


def line_json(line: Line) -> Json:
    """A line, with its chain."""
    fields = ("number", "who", "by", "role", "address", "action", "thing", "ref", "camera", "incident", "commune")
    chain = {"detail": line.detail, "previous": line.previous, "hash": line.hash}
    return {"time": rfc3339(line.wall_ms), **{name: getattr(line, name) for name in fields}, **chain}
