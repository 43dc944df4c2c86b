"""A station, and the upload endpoint on a real uvicorn on a free loopback port."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from collector.http import HttpServer
from collector.ingest.clip_store import ClipStore
from collector.ingest.proof import by_secret
from collector.ingest.upload import Uploads
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import NOW_MS, Station
from vonggac.daemon.threads import Pulse, Stop

MAX_CLIP = 4_000_000


class Endpoint:
    """`owed` holds what receipts are owed for."""

    def __init__(self, station: Station, reserve_bytes: int = 0) -> None:
        self.station = station
        self.owed: list[tuple[str, str]] = []
        self.clip_store = ClipStore(
            station.database,
            station.data,
            FakeClock(NOW_MS),
            lambda box, sha256: self.owed.append((box, sha256)),
            reserve_bytes,
        )
        self._stop = Stop()
        server = HttpServer(("127.0.0.1", 0), self._stop)
        uploads = Uploads(self.clip_store, by_secret(station.database), MAX_CLIP)
        app = Starlette(routes=[Mount("/upload", uploads.app())])
        self.url = f"http://127.0.0.1:{server.address[1]}/upload/"
        self._thread = threading.Thread(target=server.serve, args=(app, Pulse("http", 60)))
        self._thread.start()

    def close(self) -> None:
        self._stop.set("the test is over")
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path, sample.BOX, "tram-y-te-02")
    yield station
    station.database.close()


@pytest.fixture
def endpoint(station: Station) -> Iterator[Endpoint]:
    endpoint = Endpoint(station)
    yield endpoint
    endpoint.close()
