"""The one picture that a link of `alerts/channels/lending.py` lends: no session, and each use is noted."""

from starlette.responses import FileResponse, Response

from collector.alerts.channels.lending import lent
from collector.store import desk as rows
from collector.store.lending import lending_key
from collector.web.api import inside, query_of
from collector.web.auditing import note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import not_found


def picture(desk: Desk, asked: Asked) -> Response:
    """The picture; a link that is over, changed or made up is 404, like one that never was."""
    query_of(asked)
    name = str(asked.request.path_params["id"])[:200]
    with desk.database.read() as connection:
        key = lending_key(connection)
        sha256 = None if key is None else lent(key, name, asked.now_ms)
        found = None if sha256 is None else rows.find_snapshot(connection, sha256=sha256)
    path = None if found is None else inside(desk.data_folder, found.path)
    if found is None or path is None or not path.is_file():
        raise not_found("picture", "lent")
    about = {"thing": "snapshot", "ref": found.sha256, "camera": found.camera, "incident": found.incident}
    note_view(desk, asked, "export", who="lent", **about)
    return FileResponse(path, media_type="image/jpeg")
