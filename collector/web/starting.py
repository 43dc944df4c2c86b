"""The first page of an empty server: what is still to do until a camera is watched, and the commands that do it."""

from dataclasses import dataclass

from starlette.responses import Response

from collector.store import desk as rows
from collector.store.overview import BoxView, list_boxes
from collector.store.search import Sought, find_episodes
from collector.store.users import all_users
from collector.web.api import query_of
from collector.web.desk import Asked, Desk
from collector.web.render import render


@dataclass(frozen=True)
class Step:
    """One of the way; `what` names its texts, `about` is what is there already."""

    what: str
    done: bool
    about: tuple[str, ...] = ()


def page(desk: Desk, asked: Asked) -> Response:
    """Each step as the database shows it now."""
    query_of(asked)
    with desk.database.read() as connection:
        boxes = list_boxes(connection, reach=asked.who.reach)
        found = find_episodes(connection, Sought(reach=asked.who.reach), None, 1)
        officers = [user.name for user in all_users(connection) if user.role == "officer" and user.disabled_ms is None]
        waiting = rows.waiting_in(connection, asked.who.reach)
    heard = [box for box in boxes if box.heartbeat_ms is not None]
    seeing = [camera.id for box in boxes for camera in box.cameras if _sees(box, camera.name)]
    steps = (
        Step("box", bool(boxes), tuple(box.id for box in boxes[:5])),
        Step("heard", bool(heard), tuple(box.id for box in heard[:5])),
        Step("camera", bool(seeing), tuple(seeing[:5])),
        Step("episode", bool(found.episodes), tuple(each.camera for each in found.episodes)),
        Step("officer", bool(officers), tuple(officers[:5])),
    )
    following = next((step.what for step in steps if not step.done), None)
    return render(desk, asked, "start.html", steps=steps, following=following, waiting=waiting)


def _sees(box: BoxView, name: str) -> bool:
    told = () if box.heartbeat is None else box.heartbeat.cameras
    return any(camera.name == name and camera.last_frame_age_ms is not None for camera in told)
