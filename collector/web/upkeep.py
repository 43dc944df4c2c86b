"""Maintenance windows: what is worked on, by whom, until when; each ends by itself, and can be lifted before."""

from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from collector.store import upkeep as store
from collector.store.audit import Action
from collector.store.database import Connection
from collector.store.desk import waiting_in
from collector.store.mutes import box_of_camera
from collector.store.reach import Place, Reach, places
from collector.store.upkeep import Window
from collector.web.access import is_own_path, require_place, require_reach
from collector.web.api import query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import require_uuid
from collector.web.render import render
from vonggac.daemon.clock import new_id

HOUR_MS = 3_600_000
SHOWN_MS = 30 * 24 * HOUR_MS
SPANS_MS = {
    "1h": HOUR_MS, "4h": 4 * HOUR_MS, "8h": 8 * HOUR_MS, "1d": 24 * HOUR_MS, "3d": 72 * HOUR_MS, "7d": 168 * HOUR_MS,
}  # fmt: skip
"""How long something may be worked on at once: there is no "for ever"."""
KINDS = ("box", "camera", "site", "commune")


@dataclass(frozen=True)
class Shown:
    """A window, and the place it is at: a box's, a site's; a whole commune has no site."""

    window: Window
    place: Place


def page(desk: Desk, asked: Asked) -> Response:
    """What is worked on now, and what was in the last month."""
    query_of(asked)
    with desk.database.read() as connection:
        windows = store.list_windows(connection, asked.now_ms - SHOWN_MS)
        where = places(connection)
        waiting = waiting_in(connection, asked.who.reach)
    found = []
    for window in windows:
        place = _place(window, where)
        if place is not None and _touches(asked.who.reach, window, place, where):
            found.append(Shown(window, place))
    running = [each for each in found if each.window.until_ms > asked.now_ms]
    over = [each for each in found if each.window.until_ms <= asked.now_ms]
    mine = sorted(
        {place for place in where.values() if asked.who.reach.covers(place)}, key=lambda p: (p.commune, p.site)
    )
    communes = [
        name for name in dict.fromkeys(place.commune for place in mine) if asked.who.reach.covers(Place(name, ""))
    ]
    return render(
        desk, asked, "maintenance.html", running=running, over=over, waiting=waiting, sites=mine, communes=communes,
        spans=SPANS_MS,
    )  # fmt: skip


def begin(desk: Desk, asked: Asked) -> Response:
    """Begin a window now, for one of the spans."""
    query_of(asked)
    kind, ref = asked.form.get("kind", ""), asked.form.get("ref", "")[:200]
    if ":" in kind:  # of a choice of one field: "site:Xã A/Chợ"
        kind, _, ref = kind.partition(":")
    span_ms = SPANS_MS.get(asked.form.get("for", ""))
    if span_ms is None:
        raise Problem(400, "for: is missing.", where="for", hint=f"Give {' or '.join(SPANS_MS)}: every window ends.")
    if kind not in KINDS:
        raise Problem(400, f"kind: {kind[:40]!r} is unknown.", where="kind", hint=f"Give {' or '.join(KINDS)}.")
    place = _require(desk, asked, kind, ref)
    window = Window(
        id=new_id(desk.clock),
        kind=kind,
        ref=ref,
        start_ms=asked.now_ms,
        until_ms=asked.now_ms + span_ms,
        who=asked.who.name,
        note=" ".join(asked.form.get("note", "").split())[:200] or None,
    )
    with desk.database.write() as connection:
        store.add_window(connection, window)
        _note(connection, asked, "maintain", window, place)
    return _back(asked)


def lift(desk: Desk, asked: Asked) -> Response:
    """End a window before its time."""
    query_of(asked)
    name = require_uuid(asked.request.path_params["id"], "maintenance")
    with desk.database.read() as connection:
        found = store.find_window(connection, name)
        place = None if found is None else _place(found, places(connection))
    if found is None or place is None:
        raise not_found("maintenance", name)
    require_place(desk, asked, place, "maintenance", name)
    with desk.database.write() as connection:
        if store.lift_window(connection, name, asked.who.name, asked.now_ms):
            _note(connection, asked, "lift_maintenance", found, place)
    return _back(asked)


def _require(desk: Desk, asked: Asked, kind: str, ref: str) -> Place:
    """Where that is; 404 where it is not, or not within reach."""
    if kind == "box":
        return require_reach(desk, asked, ref, "box", ref)
    with desk.database.read() as connection:
        if kind == "camera":
            box = box_of_camera(connection, ref)
        else:
            known = set(places(connection).values())
    if kind == "camera":
        if box is None:
            raise not_found("camera", ref)
        return require_reach(desk, asked, box, "camera", ref)
    commune, _, site = ref.partition("/")
    place = Place(commune, site if kind == "site" else "")
    is_there = place in known if kind == "site" else any(each.commune == ref for each in known)
    if not is_there:
        raise not_found(kind, ref)
    require_place(desk, asked, place, kind, ref)
    return place


def _place(window: Window, where: dict[str, Place]) -> Place | None:
    """Where the window is; None for a box that is not known any more."""
    if window.kind in ("box", "camera"):
        return where.get(window.ref.partition("/")[0])
    commune, _, site = window.ref.partition("/")
    return Place(commune, site if window.kind == "site" else "")


def _touches(reach: Reach, window: Window, place: Place, where: dict[str, Place]) -> bool:
    """Is it about something within reach? A commune's window is also about each of its sites."""
    if window.kind == "commune":
        return any(each.commune == place.commune and reach.covers(each) for each in where.values())
    return reach.covers(place)


def _note(connection: Connection, asked: Asked, action: Action, window: Window, place: Place) -> None:
    detail: dict[str, str | int | None] = {"what": f"{window.kind} {window.ref}"}
    detail["until"] = asked.formats.moment(window.until_ms)
    if window.note:
        detail["note"] = window.note
    camera = window.ref if window.kind == "camera" else None
    note(
        connection,
        asked,
        action,
        thing="maintenance",
        ref=window.id,
        camera=camera,
        commune=place.commune,
        detail=detail,
    )


def _back(asked: Asked) -> Response:
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else "/maintenance", 303)
