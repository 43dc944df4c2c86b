"""What is missing: `/api/v1/gaps`."""

from starlette.responses import JSONResponse, Response

from collector.fleet.gaps import HOUR_MS
from collector.fleet.report import report_of
from collector.store.overview import list_boxes
from collector.web.access import require_reach
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.query import rfc3339
from collector.web.shapes import report_json

DAY_MS = 24 * HOUR_MS
LONGEST_MS = 31 * DAY_MS


def answer(desk: Desk, asked: Asked) -> Response:
    """Of one box or all, within `since` ≤ time < `until`: by default the last 24 hours."""
    query = query_of(asked, "box", "since", "until")
    until_ms = min(query.time_ms("until") or asked.now_ms, asked.now_ms)
    since_ms = query.time_ms("since")
    since_ms = until_ms - DAY_MS if since_ms is None else since_ms
    if not 0 < until_ms - since_ms <= LONGEST_MS:
        raise Problem(400, "since: must lie before until, by at most 31 days.", where="since", hint="Ask for less.")
    wanted = query.text("box")
    if wanted is not None:
        require_reach(desk, asked, wanted, "box", wanted)
    with desk.database.read() as connection:
        ids = [box.id for box in list_boxes(connection, wanted, asked.who.reach)]
        reports = [report_of(connection, box, since_ms, until_ms) for box in ids]
    items = [report_json(report) for report in reports]
    return JSONResponse({"since": rfc3339(since_ms), "until": rfc3339(until_ms), "items": items})
