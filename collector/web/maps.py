"""The map: a commune's plan with a pin for each camera, how it is and how many incidents wait there."""

import hashlib
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response

from collector.playback.pictures import NoPicture, draw_anew
from collector.store import desk as rows
from collector.store import maps as store
from collector.store.boxes import find_camera
from collector.store.maps import Pin, Plan
from collector.store.wall import OnWall, cameras_on_wall
from collector.web.access import is_own_path, require_reach
from collector.web.api import is_known, query_of
from collector.web.auditing import note, note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.render import render

MEDIA = {"png": "image/png", "jpeg": "image/jpeg"}


@dataclass(frozen=True, kw_only=True)
class OnMap:
    """A camera of the commune; `pin` None: it is not on the plan yet. `waiting`: its new incidents."""

    camera: OnWall
    pin: Pin | None
    waiting: int


def page(desk: Desk, asked: Asked) -> Response:
    """One commune: `commune`, the first one within reach without it."""
    wanted = query_of(asked, "commune").text("commune")
    with desk.database.read() as connection:
        communes = store.communes_in(connection, asked.who.reach)
        commune = wanted if wanted in communes else next(iter(communes), None)
        plan = None if commune is None else store.find_plan(connection, commune)
        found = [] if commune is None else cameras_on_wall(connection, asked.who.reach, commune=commune)
        pins = {} if commune is None else store.pins_of(connection, commune, asked.who.reach)
        waiting = {}
        if asked.who.may("see_incidents"):
            waiting = store.new_incidents(connection, [camera.id for camera in found])
        all_waiting = rows.waiting_in(connection, asked.who.reach)
    if wanted is not None and wanted != commune:
        raise not_found("commune", wanted)
    shown = [OnMap(camera=each, pin=pins.get(each.id), waiting=waiting.get(each.id, 0)) for each in found]
    may_draw = commune is not None and asked.who.may("configure") and _is_whole(asked, commune)
    return render(
        desk,
        asked,
        "map.html",
        communes=communes,
        commune=commune,
        plan=plan,
        cameras=shown,
        may_draw=may_draw,
        waiting=all_waiting,
    )


def plan_picture(desk: Desk, asked: Asked) -> Response:
    """The bytes of a plan by their hash."""
    query_of(asked)
    name = asked.request.path_params["id"]
    with desk.database.read() as connection:
        found = store.plan_bytes(connection, name)
        communes = store.communes_in(connection, asked.who.reach)
    mine = next((each for each in found if each[0] in communes), None)
    if mine is None:
        commune = found[0][0] if found else None
        note_view(desk, asked, "refused", thing="plan", ref=name[:80], commune=commune)
        raise not_found("plan", name)
    headers = {"cache-control": "private, no-cache", "etag": f'"{name}"'}
    if is_known(asked.request, name):
        return Response(status_code=304, headers=headers)
    return Response(mine[2], media_type=MEDIA[mine[1]], headers=headers)


def upload(desk: Desk, asked: Asked) -> Response:
    """The body is the picture; it becomes the commune's plan."""
    query_of(asked)
    commune = asked.request.path_params["id"]
    _require_commune(desk, asked, commune)
    try:
        drawn = draw_anew(asked.body)
    except NoPicture as error:
        raise Problem(
            415, f"The file {error}.", where="body", hint="Give a PNG or JPEG of at most 40 megapixels; no SVG."
        ) from None
    sha256 = hashlib.sha256(drawn.body).hexdigest()
    plan = Plan(
        commune=commune,
        sha256=sha256,
        kind=drawn.kind,
        width=drawn.width,
        height=drawn.height,
        uploaded_ms=asked.now_ms,
        who=asked.who.name,
    )
    with desk.database.write() as connection:
        store.keep_plan(connection, plan, drawn.body)
        note(connection, asked, "configure", thing="plan", ref=sha256, commune=commune)
    return JSONResponse(
        {"commune": commune, "url": f"/api/v1/plans/{sha256}", "width": plan.width, "height": plan.height}
    )


def pin(desk: Desk, asked: Asked) -> Response:
    """Place a camera's pin (`x`, `y` in percent), or take it away (`do` = `remove`)."""
    query_of(asked)
    camera = asked.form.get("camera", "")
    with desk.database.read() as connection:
        known = find_camera(connection, camera)
    if known is None:
        raise not_found("camera", camera)
    place = require_reach(desk, asked, known.box, "camera", camera)
    removes = asked.form.get("do") == "remove"
    x, y = (0.0, 0.0) if removes else (_percent(asked, "x"), _percent(asked, "y"))
    with desk.database.write() as connection:
        if removes:
            store.remove_pin(connection, camera)
        else:
            store.place_pin(connection, Pin(camera, x / 100, y / 100), asked.who.name, asked.now_ms)
        detail: dict[str, str | int | None] = {"pin": "removed" if removes else f"{x:.1f} {y:.1f}"}
        note(
            connection, asked, "configure", thing="pin", ref=camera, camera=camera, commune=place.commune, detail=detail
        )
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else f"/map?commune={quote(place.commune)}", 303)


def _percent(asked: Asked, name: str) -> float:
    text = asked.form.get(name, "").strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and 0 <= value <= 100):
        raise Problem(400, f"{name}: {text[:40]!r} is no place on the plan.", where=name, hint="Give 0 to 100 percent.")
    return value


def _is_whole(asked: Asked, commune: str) -> bool:
    communes = asked.who.reach.whole_communes()
    return communes is None or commune in communes


def _require_commune(desk: Desk, asked: Asked, commune: str) -> None:
    with desk.database.read() as connection:
        is_there = commune in store.communes_in(connection)
    if not is_there or not _is_whole(asked, commune):
        note_view(desk, asked, "refused", thing="plan", ref=commune, commune=commune if is_there else None)
        raise not_found("commune", commune)
