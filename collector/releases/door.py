"""What a box hears at the HTTPS door about releases. Who asks was proven before.

An archive has more than a hundred megabytes, and a ring may be a district: so many boxes fetch at once, the others are
told to ask again (they do, by their timer), and who takes for ever is cut off and goes on where it stopped.
"""

import asyncio
import threading
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from collector.releases.choice import wanted
from collector.releases.shelf import Shelf
from collector.store import releases as store
from collector.store.database import Database
from vonggac.daemon.clock import Clock
from vonggac.wire.release import Answer, encode_answer

FETCH_AT_ONCE = 6
LONGEST_FETCH_S = 1800.0
_ASK_AGAIN_S = 900


class _InTurn(FileResponse):
    """A file that is sent while one of the `turns` is free."""

    def __init__(self, path: Path, turns: threading.Semaphore) -> None:
        super().__init__(path, media_type="application/gzip", headers={"Cache-Control": "no-store"})
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._turns.acquire(blocking=False):
            busy = PlainTextResponse("enough boxes fetch now\n", 503, {"Retry-After": str(_ASK_AGAIN_S)})
            await busy(scope, receive, send)
            return
        try:
            async with asyncio.timeout(LONGEST_FETCH_S):
                await super().__call__(scope, receive, send)
        finally:
            self._turns.release()


class ReleaseDoor:
    """Over one database and one shelf. Its answers raise StoreUnavailable."""

    def __init__(self, database: Database, shelf: Shelf, clock: Clock) -> None:
        self._database = database
        self._shelf = shelf
        self._clock = clock
        self._turns = threading.Semaphore(FETCH_AT_ONCE)

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
        return _InTurn(path, self._turns)

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
