"""A copy of a clip for browsers that play no H.265: asked for by a person, made on the server."""

from typing import NoReturn

from starlette.responses import JSONResponse, RedirectResponse, Response

from collector.playback.copies import CopyState
from collector.web.access import is_own_path
from collector.web.api import clip_file, query_of
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem


def state(desk: Desk, asked: Asked) -> Response:
    """How far the copy is."""
    query_of(asked)
    found, _path = clip_file(desk, asked)
    return _told(found.id, desk.copies.state(found.sha256))


def make(desk: Desk, asked: Asked) -> Response:
    """Begin to make it."""
    query_of(asked)
    found, path = clip_file(desk, asked)
    word = desk.copies.make(found.sha256, path)
    if word == "no_room":
        _no_room()
    return _told(found.id, word)


def make_page(desk: Desk, asked: Asked) -> Response:
    """The same for a form without scripts: back to the page it stood on."""
    query_of(asked)
    found, path = clip_file(desk, asked)
    if desk.copies.make(found.sha256, path) == "no_room":
        _no_room()
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else "/", 303)


def copy_url(clip: str) -> str:
    """Where the copy's bytes are."""
    return f"/api/v1/clips/{clip}?copy=1"


def _told(clip: str, word: CopyState) -> Response:
    return JSONResponse({"clip": clip, "state": word, "url": copy_url(clip) if word == "ready" else None})


def _no_room() -> NoReturn:
    raise Problem(507, "The server's disk has no room for a copy.", where="clip", hint="Download the clip instead.")
