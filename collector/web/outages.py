"""Outages as they were, and how much of each month each camera was watched: page, API, CSV."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from collector.fleet.month import CameraMonth, month_bounds, month_of
from collector.fleet.outages import place_of
from collector.store.desk import waiting_in
from collector.store.fleet import Outage
from collector.store.outage_history import Sought, list_outages
from collector.web.api import query_of
from collector.web.auditing import note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.query import Query, cursor, rfc3339
from collector.web.render import render

ON_ONE_PAGE = 50
DAY_MS = 86_400_000
COLUMNS = (
    "month", "commune", "site", "camera", "counted_s", "maintenance_s", "watched_s", "unwatched_s", "unknown_s",
    "watched_percent", "away_s", "reached_percent", "outages", "longest_outage_s",
)  # fmt: skip


@dataclass(frozen=True)
class Month:
    """A month as pages name it, 2026-11; `until_ms` is its end, or now in the present one."""

    text: str
    since_ms: int
    until_ms: int


def page(desk: Desk, asked: Asked) -> Response:
    """Outages, newest first; the parts of large ones stand inside them."""
    query = query_of(asked, "after")
    sought = Sought(0, asked.now_ms + 1, after=query.after(), limit=ON_ONE_PAGE, reach=asked.who.reach)
    with desk.database.read() as connection:
        found = list_outages(connection, sought)
        waiting = waiting_in(connection, asked.who.reach)
    more = cursor(found[-1].start_ms, found[-1].id) if len(found) == ON_ONE_PAGE else None
    return render(desk, asked, "outages.html", outages=found, more=more, waiting=waiting, place_of=place_of)


def answer(desk: Desk, asked: Asked) -> Response:
    """The same for programs, within `since` ≤ time < `until` (30 days by default); `parts=1` gives the parts too."""
    query = query_of(asked, "since", "until", "open", "parts", "limit", "after")
    until_ms = query.time_ms("until") or asked.now_ms + 1
    since_ms = query.time_ms("since")
    sought = Sought(
        since_ms if since_ms is not None else max(0, until_ms - 30 * DAY_MS),
        until_ms,
        is_open=query.one_of("open", ("1",)) is not None,
        parts=query.one_of("parts", ("1",)) is not None,
        after=query.after(),
        limit=query.limit(),
        reach=asked.who.reach,
    )
    with desk.database.read() as connection:
        found = list_outages(connection, sought)
    more = cursor(found[-1].start_ms, found[-1].id) if len(found) == sought.limit else None
    return JSONResponse({"items": [outage_json(each) for each in found], "next": more})


def outage_json(outage: Outage) -> dict[str, Any]:
    """`members`: boxes of a site, a commune or all; cameras of a box. `hint` is known when it was heard again."""
    return {
        "id": outage.id,
        "kind": outage.kind,
        "ref": outage.ref,
        "state": outage.state,
        "reason": outage.reason,
        "start": rfc3339(outage.start_ms),
        "end": rfc3339(outage.end_ms),
        "told": rfc3339(outage.told_ms),
        "hint": outage.hint,
        "parent": outage.parent,
        "members": list(outage.members),
    }


def availability_page(desk: Desk, asked: Asked) -> Response:
    """Each camera's month, by commune, the least watched first."""
    month = _month(query_of(asked, "month"), asked)
    with desk.database.read() as connection:
        found = month_of(connection, month.since_ms, month.until_ms, asked.who.reach)
        waiting = waiting_in(connection, asked.who.reach)
    communes: dict[str, list[CameraMonth]] = {}
    for each in sorted(found, key=_least_first):
        communes.setdefault(each.commune, []).append(each)
    months = _months(asked)
    return render(
        desk,
        asked,
        "availability.html",
        communes=communes,
        month=month,
        months=months,
        waiting=waiting,
        total=len(found),
    )


def availability_json(desk: Desk, asked: Asked) -> Response:
    """The month as JSON."""
    month = _month(query_of(asked, "month"), asked)
    with desk.database.read() as connection:
        found = month_of(connection, month.since_ms, month.until_ms, asked.who.reach)
    items = [dict(zip(COLUMNS, _row(month, each), strict=True)) for each in found]
    about = {"month": month.text, "since": rfc3339(month.since_ms), "until": rfc3339(month.until_ms)}
    return JSONResponse({**about, "items": items})


def availability_csv(desk: Desk, asked: Asked) -> Response:
    """The month as a table for spreadsheets: UTF-8 with its mark, commas, dots, no formulas."""
    month = _month(query_of(asked, "month"), asked)
    with desk.database.read() as connection:
        found = month_of(connection, month.since_ms, month.until_ms, asked.who.reach)
    note_view(desk, asked, "export", thing="availability", ref=month.text)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _row(month, each)] for each in found)
    headers = {"content-disposition": f'attachment; filename="vonggac-{month.text}.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _month(query: Query, asked: Asked) -> Month:
    """`month=2026-11`, the present one by default."""
    text = query.text("month") or _months(asked)[0]
    bounds = month_bounds(text, asked.formats.zone)
    if bounds is None or bounds[0] > asked.now_ms:
        raise Problem(400, f"month: {text[:40]!r} is none that has begun.", where="month", hint="Write 2026-11.")
    return Month(text, bounds[0], min(bounds[1], asked.now_ms))


def _months(asked: Asked) -> list[str]:
    """The present month and the eleven before it."""
    now = asked.formats.local(asked.now_ms)
    assert now is not None  # noqa: S101 - there is always a now
    count = now.year * 12 + now.month - 1
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(count, count - 12, -1)]


def _least_first(each: CameraMonth) -> tuple[float, str]:
    share = None if each.availability is None else each.availability.watched_share
    return (2.0 if share is None else share, each.id)


def _row(month: Month, each: CameraMonth) -> tuple[str | int | float | None, ...]:
    found = each.availability
    begin = (month.text, each.commune, each.site, each.id)
    if found is None:
        return (*begin, *(None for _ in COLUMNS[4:]))
    return (
        *begin,
        _s(found.counted_ms),
        _s(found.maintenance_ms),
        _s(found.watched_ms),
        _s(found.unwatched_ms),
        _s(found.unknown_ms),
        _percent(found.watched_share),
        _s(found.away_ms),
        _percent(found.reached_share),
        found.outages,
        _s(found.longest_ms),
    )


def _s(ms: int) -> int:
    return round(ms / 1000)


def _percent(share: float | None) -> float | None:
    """Rounded down: what was not whole is never called 100."""
    return None if share is None else int(share * 10_000) / 100


def _cell(value: str | int | float | None) -> str | int | float:
    """A name that a spreadsheet would take for a formula is text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
