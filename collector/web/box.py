"""A box's own page: how it is, what is missing, its timelines, what it was told to do, who was there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response

from collector.fleet.completeness import Where
from collector.fleet.gaps import HOUR_MS
from collector.fleet.grouping import site_scope
from collector.fleet.report import report_of
from collector.fleet.rows import row_of
from collector.store import commands, upkeep
from collector.store.boxes import is_registered
from collector.store.commands import CommandRow
from collector.store.database import Connection
from collector.store.desk import find_snapshot, waiting_in
from collector.store.identities import papers as papers_of
from collector.store.outage_history import outages_of_box
from collector.store.overview import BoxView, list_boxes
from collector.store.timelines import PastBeat, past_beats
from collector.web.access import require_reach
from collector.web.api import query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import rfc3339
from collector.web.render import render
from collector.web.spark import Spark, spark
from collector.web.upkeep import SPANS_MS
from vonggac.daemon.clock import new_id

DAY_MS = 24 * HOUR_MS
SPANS = {"1": (DAY_MS, 600_000), "7": (7 * DAY_MS, 3_600_000), "30": (30 * DAY_MS, 14_400_000)}
"""Days of a timeline: its length and step in milliseconds."""
COMMANDS = ("ping", "snapshot", "retry", "restart")
ANSWER_WITHIN_MS = 60_000
LONGEST_NOTE = 1000


@dataclass(frozen=True)
class Line:
    """A timeline: what it shows (a word of `lines.`), the camera where it is of one, its unit and digits."""

    name: str
    camera: str | None
    unit: str
    digits: int
    spark: Spark


def page(desk: Desk, asked: Asked) -> Response:
    """One box."""
    query = query_of(asked, "days")
    days = query.one_of("days", SPANS) or "1"
    name = str(asked.request.path_params["id"])
    place = require_reach(desk, asked, name, "box", name)
    span_ms, step_ms = SPANS[days]
    with desk.database.read() as connection:
        found = list_boxes(connection, name)
        if not found:
            raise not_found("box", name)
        box, since_ms = found[0], asked.now_ms - span_ms
        beats = past_beats(connection, name, since_ms, asked.now_ms, step_ms)
        told = commands.commands_of(connection, name)
        things = [("box", name), site_scope(place.commune, place.site), ("commune", place.commune)]
        things += [("camera", camera.id) for camera in box.cameras]
        given: dict[str, Any] = {
            "box": box,
            "row": row_of(box, asked.now_ms, tuple(papers_of(connection, asked.now_ms).get(name, ()))),
            "report": report_of(connection, name, asked.now_ms - DAY_MS, asked.now_ms),
            "waiting": waiting_in(connection, asked.who.reach),
            "told": told,
            "pictures": _pictures(connection, asked, told),
            "notes": upkeep.notes_of(connection, name),
            "windows": upkeep.windows_of(connection, things, asked.now_ms, asked.now_ms + 365 * DAY_MS),
            "outages": outages_of_box(connection, name, asked.now_ms - 30 * DAY_MS),
        }
    lines = lines_of(box, beats, since_ms, asked.now_ms, step_ms)
    more: dict[str, Any] = {
        "where": Where,
        "hour_ms": HOUR_MS,
        "lines": lines,
        "days": days,
        "all_days": SPANS,
        "spans": SPANS_MS,
    }
    return render(desk, asked, "box.html", **given, **more)


def lines_of(box: BoxView, beats: list[PastBeat], since_ms: int, until_ms: int, step_ms: int) -> list[Line]:
    """The timelines of a box and its cameras; those of which nothing was ever told are left out."""

    def drawn(read: Callable[[dict[str, Any]], float | None]) -> Spark:
        points = [(beat.received_ms, read(beat.body)) for beat in beats]
        return spark(points, since_ms, until_ms, step_ms)

    def of_camera(name: str) -> Callable[[dict[str, Any]], float | None]:
        def read(body: dict[str, Any]) -> float | None:
            part: dict[str, Any] = next((each for each in body.get("cameras", ()) if each.get("name") == name), {})
            return _number((part.get("main") or {}).get("fps"))

        return read

    lines = [
        Line("temperature", None, "°C", 0, drawn(lambda body: _host(body, "temperature_c"))),
        Line("disk", None, "%", 0, drawn(lambda body: _share(body, "disk_free_bytes", "disk_total_bytes"))),
        Line("memory", None, "%", 0, drawn(lambda body: _share(body, "memory_available_bytes", "memory_total_bytes"))),
        Line("load", None, "", 2, drawn(lambda body: _host(body, "load_1m"))),
        Line("outbox", None, "", 0, drawn(lambda body: _number(body.get("outbox", {}).get("events")))),
    ]
    lines += [Line("fps", camera.name, "", 1, drawn(of_camera(camera.name))) for camera in box.cameras]
    return [line for line in lines if line.spark.last is not None]


def command_page(desk: Desk, asked: Asked) -> Response:
    """Tell the box to do something; back to its page, where the answer appears."""
    query_of(asked)
    row = _tell(desk, asked)
    return RedirectResponse(f"/boxes/{row.box}#commands", 303)


def command_json(desk: Desk, asked: Asked) -> Response:
    """The same for programs: 202, and the command as it stands in `/api/v1/boxes/ID/commands`."""
    query_of(asked)
    return JSONResponse(command_of(_tell(desk, asked), asked.now_ms), 202)


def commands_json(desk: Desk, asked: Asked) -> Response:
    """The box's last commands with their answers, newest first."""
    query_of(asked)
    name = str(asked.request.path_params["id"])
    require_reach(desk, asked, name, "box", name)
    with desk.database.read() as connection:
        found = commands.commands_of(connection, name, 50)
    return JSONResponse({"items": [command_of(row, asked.now_ms) for row in found]})


def command_of(row: CommandRow, now_ms: int) -> dict[str, Any]:
    """As the API gives it; `snapshot` is where a picture that was asked for comes."""
    return {
        "id": row.id,
        "box": row.box,
        "command": row.command,
        "camera": row.camera,
        "who": row.who,
        "created": rfc3339(row.created_ms),
        "state": row.state(now_ms),
        "sent": rfc3339(row.sent_ms),
        "replied": rfc3339(row.replied_ms),
        "error": row.error,
        "code": row.code,
        "detail": row.detail or {},
        "snapshot": None if row.picture is None else f"/api/v1/snapshots/{row.picture}",
    }


def visit(desk: Desk, asked: Asked) -> Response:
    """Keep a note of a visit."""
    query_of(asked)
    name = str(asked.request.path_params["id"])
    place = require_reach(desk, asked, name, "box", name)
    text = asked.form.get("text", "").strip()[:LONGEST_NOTE]
    if not text:
        raise Problem(400, "text: is missing.", where="text", hint="Write what was done at the box.")
    written = upkeep.VisitNote(id=new_id(desk.clock), box=name, wall_ms=asked.now_ms, who=asked.who.name, text=text)
    with desk.database.write() as connection:
        upkeep.add_note(connection, written)
        note(connection, asked, "visit", thing="box", ref=name, commune=place.commune, detail={"text": text[:200]})
    return RedirectResponse(f"/boxes/{name}#visits", 303)


def _tell(desk: Desk, asked: Asked) -> CommandRow:
    name = str(asked.request.path_params["id"])
    place = require_reach(desk, asked, name, "box", name)
    word, camera = asked.form.get("command", ""), asked.form.get("camera", "").rpartition("/")[2] or None
    if word not in COMMANDS:
        raise Problem(
            400, f"command: {word[:40]!r} is unknown.", where="command", hint=f"Give {' or '.join(COMMANDS)}."
        )
    camera = camera if word == "snapshot" else None
    with desk.database.write() as connection:
        if not is_registered(connection, name):
            raise Problem(409, f"{name} may not connect now.", where="box", hint="It was revoked or retired.")
        known = {each.name for found in list_boxes(connection, name) for each in found.cameras}
        if word == "snapshot" and camera not in known:
            raise Problem(
                400, f"camera: {str(camera)[:40]!r} is no camera of {name}.", where="camera", hint="See its page."
            )
        row = CommandRow(
            id=new_id(desk.clock), box=name, command=word, camera=camera, who=asked.who.name,
            created_ms=asked.now_ms, expires_ms=asked.now_ms + ANSWER_WITHIN_MS, sent_ms=None, replied_ms=None,
            ok=None, error=None, code=None, detail=None,
        )  # fmt: skip
        commands.add_command(
            connection, row.id, name, word, now_ms=row.created_ms, expires_ms=row.expires_ms, camera=camera,
            who=row.who,
        )  # fmt: skip
        of = None if camera is None else f"{name}/{camera}"
        note(
            connection, asked, "command", thing="box", ref=name, camera=of, commune=place.commune,
            detail={"command": word},
        )  # fmt: skip
    return row


def _pictures(connection: Connection, asked: Asked, told: list[CommandRow]) -> dict[str, str]:
    """Command id → where its picture is, for those that have come, where the asker may look."""
    if not asked.who.may("see_media"):
        return {}
    asked_for = [(row.id, row.picture) for row in told if row.picture is not None]
    return {
        command: f"/api/v1/snapshots/{picture}"
        for command, picture in asked_for
        if find_snapshot(connection, episode=picture) is not None
    }


def _host(body: dict[str, Any], name: str) -> float | None:
    return _number(body.get("host", {}).get(name))


def _share(body: dict[str, Any], part: str, whole: str) -> float | None:
    free, total = _host(body, part), _host(body, whole)
    return 100 * free / total if free is not None and total else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
