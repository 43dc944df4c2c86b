"""Deleting a clip by hand: with a reason, noted, and never one under legal hold."""

from starlette.responses import RedirectResponse, Response

from collector.ingest.leftovers import remove_unowned
from collector.playback.folder import forget_copy
from collector.store import clips
from collector.store import desk as rows
from collector.store.live import note_change
from collector.web.access import is_own_path, require_reach
from collector.web.api import inside, query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem, not_found
from collector.web.query import require_uuid

MAX_REASON = 200


def delete_clip(desk: Desk, asked: Asked) -> Response:
    """The row says that the file goes, then it goes. What a crash leaves between the two goes at the next start."""
    query_of(asked)
    name = require_uuid(asked.request.path_params["id"], "clip")
    reason = " ".join(asked.form.get("reason", "").split())[:MAX_REASON]
    with desk.database.read() as connection:
        found = clips.find_clip(connection, name)
        episode = None if found is None else found.episode
        incident = None if episode is None else rows.incident_of_episode(connection, episode)
    if found is None:
        raise not_found("clip", name)
    place = require_reach(desk, asked, found.box, "clip", name)
    if len(reason) < 3:
        raise Problem(400, "reason: is missing.", where="reason", hint="Say in a few words why the clip goes.")
    path = None if found.path is None else inside(desk.data_folder, found.path)
    with desk.database.write() as connection:
        if path is None or not clips.mark_deleted(connection, name, asked.now_ms):
            why = "is under legal hold" if found.held else "is not here"
            raise Problem(409, f"The clip {why}.", where="clip", hint="Load the page again.")
        about = {"thing": "clip", "ref": name, "camera": found.camera, "incident": incident}
        detail = {"reason": reason, "sha256": found.sha256}
        note(connection, asked, "delete", commune=place.commune, detail=detail, **about)
        note_change(connection, "clip", name, asked.now_ms)
    remove_unowned(desk.database, desk.data_folder, [str(found.path)])
    forget_copy(desk.data_folder, found.sha256)
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else "/", 303)
