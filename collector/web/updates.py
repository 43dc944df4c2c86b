"""Updates: which releases there are, how far each box has come, and the button that stops a release."""

import re

from starlette.responses import RedirectResponse, Response

from collector.releases.choice import RETURNS_STOP
from collector.store import desk as rows
from collector.store import releases as store
from collector.web.api import query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import not_found
from collector.web.render import render

_REASONS = (
    (re.compile(r"did not prove itself: no picture of (?P<names>.+)"), "update_reason.no_picture"),
    (re.compile(r"did not prove itself: no heartbeat of \S+ has arrived"), "update_reason.no_heartbeat"),
    (re.compile(r"did not prove itself: \S+ has not run for .+"), "update_reason.restarts"),
    (re.compile(r"the collector could not be asked whether it works"), "update_reason.no_line"),
    (re.compile(r".*was interrupted.*"), "update_reason.interrupted"),
    (re.compile(r"the manifest is not signed by a key that this box knows"), "update_reason.unsigned"),
    (re.compile(r"this box has no release keys: .+"), "update_reason.no_keys"),
    (re.compile(r"does not start: .+"), "update_reason.no_start"),
    (re.compile(r"is not made for (?P<target>\S+)"), "update_reason.other_machine"),
    (re.compile(r"needs (?P<needed>\d+) MiB of the disk, (?P<free>\d+) MiB are free"), "update_reason.disk"),
)
"""What boxes say most often, for people in their language; the rest is shown as the box said it."""
_WORST_FIRST = ("returned", "refused", "returning", "probation", "unpacking", "fetching")
_RANK = {step: rank for rank, step in enumerate(_WORST_FIRST)}


def page(desk: Desk, asked: Asked) -> Response:
    """Every release and every box within reach; boxes with something to say come first."""
    query_of(asked)
    with desk.database.read() as connection:
        releases = store.list_releases(connection)
        boxes = store.progress(connection, asked.who.reach)
        waiting = rows.waiting_in(connection, asked.who.reach)
    boxes.sort(key=lambda each: (_RANK.get(each.step or "", len(_RANK)), each.commune, each.site, each.box))
    return render(
        desk,
        asked,
        "updates.html",
        releases=releases,
        boxes=boxes,
        waiting=waiting,
        returns_stop=RETURNS_STOP,
        worded=worded,
    )


def worded(reason: str) -> tuple[str, dict[str, str]] | None:
    """The text's key and its places for a reason that a box gave; None for one that is not known."""
    for pattern, key in _REASONS:
        found = pattern.fullmatch(reason)
        if found is not None:
            return key, found.groupdict()
    return None


def stop(desk: Desk, asked: Asked) -> Response:
    """No further box begins with it; those that have it keep it. `collector update offer` lifts the stop."""
    query_of(asked)
    version = str(asked.request.path_params["id"])
    with desk.database.write() as connection:
        if store.find_release(connection, version) is None:
            raise not_found("release", version)
        if store.stop(connection, version, asked.who.name, asked.now_ms):
            note(connection, asked, "configure", thing="release", ref=version, detail={"did": "stop"})
    return RedirectResponse("/updates", 303)
