"""A box without cameras: the real outbox, uplink and uploader against a System, fed by the test."""

import itertools
import threading
from pathlib import Path

from edge_agent.outbox.items import NewSnapshot
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.mqtt import Broker, MqttLink
from edge_agent.uplink.tus import UploadServer
from edge_agent.uplink.uplink import Uplink, last_will
from edge_agent.uplink.upload import Uploader
from tests.support.outbox_items import BOX, camera_event, clip_file, episode_started
from tests.support.system import System, wait_for
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.threads import Crew, Stop
from vonggac.wire.messages import Birth, BoxHealth, Heartbeat

CLOCK = SystemClock()
JPEG = b"\xff\xd8\xff\xe0" + bytes(3000)


class LightBox:
    """Registered at the system; `feed` puts one thing after another into its outbox until told to stop."""

    def __init__(self, system: System, folder: Path) -> None:
        secret = (system.folder / f"{BOX}.secret").read_text().strip()
        self.outbox = Outbox(folder, CLOCK, BOX)
        self._folder = folder
        self._stop = Stop()
        self._numbers = itertools.count(1)
        self._fed_enough = threading.Event()
        self._feeder: threading.Thread | None = None
        link = MqttLink(Broker("127.0.0.1", system.broker_port, BOX, secret), lambda: last_will(BOX, CLOCK))
        self._uplink = Uplink(
            self.outbox,
            link,
            CLOCK,
            BOX,
            self._stop,
            birth=lambda: Birth(agent_version="1", cameras=(), config_hash="0"),
            heartbeat=self._heartbeat,
            handlers={},
            heartbeat_s=1,
            receipt_wait_s=1.0,
        )
        self._server = UploadServer(f"{system.url}/upload/", BOX, secret)
        self._crew = Crew(self._stop)
        self._crew.start("uplink", self._uplink.run)
        self._uploads: list[tuple[Uploader, Stop]] = []
        self.upload_anew()

    def upload_anew(self) -> None:
        """As after a restart: no upload is put off any more."""
        for uploader, stop in self._uploads:
            stop.set("another one follows")
            uploader.wake()
        stop = Stop()
        uploader = Uploader(self.outbox, self._server, CLOCK, stop, give_way=False)
        self._uploads.append((uploader, stop))
        self._crew.start(f"upload-{len(self._uploads)}", uploader.run)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(interval_s=1.0, cameras=(), host=BoxHealth(uptime_ms=1), outbox=self.outbox.stats())

    def put(self) -> None:
        """An event; with every fifth a picture, with every seventh a clip."""
        number = next(self._numbers)
        self.outbox.put_event(camera_event(number))
        if number % 5 == 0:
            jpeg = JPEG + number.to_bytes(4, "big")
            started = episode_started(number, jpeg)
            self.outbox.put_event(started, NewSnapshot(started.episode, jpeg))
        if number % 7 == 0:
            self.outbox.put_clip(*clip_file(self._folder, number, 100_000 + number))

    def feed(self) -> None:
        """Begin to put things, as fast as every 5 ms."""

        def run() -> None:
            while not self._fed_enough.wait(0.005):
                self.put()

        self._fed_enough.clear()
        self._feeder = threading.Thread(target=run)
        self._feeder.start()

    def stop_feeding(self) -> None:
        """Returns when nothing more is put."""
        self._fed_enough.set()
        if self._feeder is not None:
            self._feeder.join(10)

    def wait_until_empty(self) -> None:
        """Until the collector has given its receipt for everything."""
        wait_for(self._is_empty, "the outbox to empty", 60)

    def _is_empty(self) -> bool:
        stats = self.outbox.stats()
        return not (stats.events or stats.snapshots or stats.clips)

    def close(self) -> None:
        self.stop_feeding()
        self._stop.set("the test is over")
        self._uplink.wake()
        for uploader, stop in self._uploads:
            stop.set("the test is over")
            uploader.wake()
        assert self._crew.join(10) == []
        self.outbox.close()
