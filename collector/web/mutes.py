"""Mutes: what is muted, by whom, until when; one is offered where a false alarm was said, and can be lifted again."""

from starlette.responses import RedirectResponse, Response

from collector.alerts.mutes import LONGEST_MS
from collector.store import desk as rows
from collector.store import mutes as store
from collector.store.audit import Action
from collector.store.database import Connection
from collector.store.mutes import MuteRow
from collector.web.access import is_own_path, require_reach
from collector.web.api import query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import require_uuid
from collector.web.render import render
from vonggac.daemon.clock import new_id
from vonggac.wire.ids import is_uuid

SHOWN_MS = 7 * 86_400_000
SPANS_MS = {"8h": 8 * 3_600_000, "1d": 86_400_000, "7d": 7 * 86_400_000, "30d": LONGEST_MS}
"""How long something may be muted: there is no "for ever"."""


def page(desk: Desk, asked: Asked) -> Response:
    """What is muted now, and what was in the last week."""
    query_of(asked)
    with desk.database.read() as connection:
        found = store.list_mutes(connection, asked.now_ms - SHOWN_MS, asked.who.reach)
        waiting = rows.waiting_in(connection, asked.who.reach)
    running = [mute for mute in found if mute.is_on(asked.now_ms)]
    over = [mute for mute in found if not mute.is_on(asked.now_ms)]
    return render(desk, asked, "mutes.html", running=running, over=over, waiting=waiting)


def begin(desk: Desk, asked: Asked) -> Response:
    """Mute a camera, or one of its zones, at all hours or some, for a while."""
    query_of(asked)
    camera, zone = asked.form.get("camera", ""), asked.form.get("zone", "")[:80] or None
    span_ms = SPANS_MS.get(asked.form.get("for", ""))
    if span_ms is None:
        raise Problem(400, "for: is missing.", where="for", hint=f"Give {' or '.join(SPANS_MS)}: every mute ends.")
    from_minute, to_minute = _hours(asked)
    incident = asked.form.get("incident") or None
    with desk.database.read() as connection:
        box = store.box_of_camera(connection, camera)
        alarm = rows.find_incident(connection, incident) if incident is not None and is_uuid(incident) else None
    if box is None:
        raise not_found("camera", camera)
    place = require_reach(desk, asked, box, "camera", camera)
    mute = MuteRow(
        id=new_id(desk.clock),
        camera=camera,
        zone=zone,
        from_minute=from_minute,
        to_minute=to_minute,
        start_ms=asked.now_ms,
        until_ms=asked.now_ms + span_ms,
        who=asked.who.name,
        reason=" ".join(asked.form.get("reason", "").split())[:200] or None,
        incident=alarm.id if alarm is not None and alarm.camera == camera else None,
    )
    with desk.database.write() as connection:
        store.add_mute(connection, mute)
        _note(connection, asked, "mute", mute, place.commune)
    return _back(asked)


def lift(desk: Desk, asked: Asked) -> Response:
    """End a mute before its time."""
    query_of(asked)
    name = require_uuid(asked.request.path_params["id"], "mute")
    with desk.database.read() as connection:
        found = store.find_mute(connection, name)
    if found is None:
        raise not_found("mute", name)
    place = require_reach(desk, asked, found.camera.partition("/")[0], "mute", name)
    with desk.database.write() as connection:
        if store.lift_mute(connection, name, asked.who.name, asked.now_ms):
            _note(connection, asked, "lift_mute", found, place.commune)
    return _back(asked)


def _hours(asked: Asked) -> tuple[int | None, int | None]:
    """Minutes of the day from `from` and `to`; both empty: all hours."""
    texts = [asked.form.get(name, "").strip() for name in ("from", "to")]
    if not any(texts) or asked.form.get("hours") == "all":
        return None, None
    minutes = [asked.formats.minute_of_day(text) for text in texts]
    if minutes[0] in (None, 1440) or minutes[1] is None or minutes[0] == minutes[1]:
        raise Problem(400, "from, to: are no two times of day.", where="from", hint="Write 14:35, or leave both empty.")
    return minutes[0], minutes[1]


def _note(connection: Connection, asked: Asked, action: Action, mute: MuteRow, commune: str) -> None:
    detail = {"zone": mute.zone, "until": asked.formats.moment(mute.until_ms), "reason": mute.reason}
    if mute.from_minute is not None:
        detail["hours"] = asked.formats.hours(mute.from_minute, mute.to_minute)
    about = {"thing": "mute", "ref": mute.id, "camera": mute.camera, "incident": mute.incident}
    shown = {name: value for name, value in detail.items() if value is not None}
    note(connection, asked, action, commune=commune, detail=shown, **about)


def _back(asked: Asked) -> Response:
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else "/mutes", 303)
