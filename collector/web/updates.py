"""Updates: which releases there are, how far each box has come, and the button that stops a release."""

from starlette.responses import RedirectResponse, Response

from collector.releases.choice import RETURNS_STOP
from collector.store import desk as rows
from collector.store import releases as store
from collector.web.api import query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import not_found
from collector.web.render import render

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
        desk, asked, "updates.html", releases=releases, boxes=boxes, waiting=waiting, returns_stop=RETURNS_STOP
    )


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
