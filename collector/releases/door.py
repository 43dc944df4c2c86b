"""What a box hears at the HTTPS door about releases. Who asks was proven before."""

from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response

from collector.releases.choice import wanted
from collector.releases.shelf import Shelf
from collector.store import releases as store
from collector.store.database import Database
from vonggac.daemon.clock import Clock
from vonggac.wire.release import Answer, encode_answer


class ReleaseDoor:
    """Over one database and one shelf. Its answers raise StoreUnavailable."""

    def __init__(self, database: Database, shelf: Shelf, clock: Clock) -> None:
        self._database = database
        self._shelf = shelf
        self._clock = clock

    def wanted(self, box: str) -> Response:
        """GET /release."""
        with self._database.read() as connection:
            heard = store.heard(connection, box)
            known = {each.version: each for each in store.list_releases(connection)}
            ring = store.ring_of(connection, box)
        version = wanted((each.offer for each in known.values()), ring, None if heard is None else heard.version)
        chosen = None if version is None else known[version]
        answer = Answer(
            now_ms=self._clock.wall_ms(),
            manifest=None if chosen is None else chosen.manifest,
            signature=None if chosen is None else chosen.signature,
            heard=heard,
        )
        return Response(encode_answer(answer), headers={"Cache-Control": "no-store"}, media_type="application/json")

    def archive(self, box: str, sha256: str) -> Response:
        """GET /release/archive/SHA256, of a release that is offered to the box that asks."""
        path = self._find(box, sha256)
        if path is None:
            return PlainTextResponse("no release that is offered to this box has such an archive\n", 404)
        return FileResponse(path, media_type="application/gzip", headers={"Cache-Control": "no-store"})

    def _find(self, box: str, sha256: str) -> Path | None:
        with self._database.read() as connection:
            known = store.list_releases(connection)
            ring = store.ring_of(connection, box)
        for each in known:
            if wanted([each.offer], ring, None) is None:
                continue
            found = self._shelf.archive(each.version, sha256, each.manifest)
            if found is not None and found.is_file():
                return found
        return None
