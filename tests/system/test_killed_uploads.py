"""The collector is killed ten times in the middle of twenty parallel uploads: every clip is there whole, and once."""

import hashlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.database import open_database, sqlite_url
from edge_agent.outbox.items import WaitingClip
from edge_agent.uplink.errors import UplinkUnavailable
from edge_agent.uplink.tus import TusUpload, UploadServer, open_session
from tests.support.outbox_items import an_id
from tests.support.system import System

UPLOADS, KILLS = 20, 10
BOX = "box-1"


class Sender(threading.Thread):
    """Sends one clip by the box's own means, over and over until the collector has it whole."""

    def __init__(self, number: int, path: Path, server: UploadServer, gate: "Gate") -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        data = path.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.clip = WaitingClip(an_id(number), an_id(number + 1000), "gate", number, self.sha256, len(data), path, None)
        self.broken_off = 0
        self._server = server
        self._gate = gate

    def run(self) -> None:
        while not self._gate.is_over:
            session = open_session(self._server)
            try:
                upload = TusUpload(self._server, session, self.clip, self._gate.pass_through)
                upload.begin()
                while not upload.is_complete():
                    upload.send_chunk(64 * 1024)
            except UplinkUnavailable:
                self.broken_off += 1
                self._gate.wait(0.05)
            else:
                return
            finally:
                session.close()


class Gate:
    """Lets so many bytes through in all; opened a little further after each kill, so that no kill comes too late."""

    def __init__(self) -> None:
        self.is_over = False
        self.passed = 0
        self._allowed = 0
        self._news = threading.Condition()

    def open_until(self, passed_bytes: int) -> None:
        with self._news:
            self._allowed = passed_bytes
            self._news.notify_all()

    def pass_through(self, most: int) -> int:
        with self._news:
            self._news.wait_for(lambda: self.passed < self._allowed or self.is_over, 60)
            size = min(most, 8192)
            self.passed += size
            self._news.notify_all()
            return size

    def wait(self, seconds: float) -> None:
        with self._news:
            self._news.wait(seconds)

    def wait_until_passed(self, passed_bytes: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.passed >= passed_bytes, 60), "the uploads do not move"

    def end(self) -> None:
        with self._news:
            self.is_over = True
            self._news.notify_all()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, "uploads: {keep_free: 100MiB}\nretention: {keep_free: 100MiB}\n")
    yield system
    system.kill()


def test_a_collector_killed_ten_times_amid_twenty_uploads_has_every_clip_whole_and_once(
    tmp_path: Path, system: System
) -> None:
    rng = random.Random(20)
    system.add_box(BOX)
    system.serve()
    server = UploadServer(f"{system.url}/upload/", BOX, (tmp_path / f"{BOX}.secret").read_text().strip())
    gate, senders = Gate(), []
    for number in range(UPLOADS):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(rng.randbytes(round(30_000 * 60 ** rng.random())))  # 30 KB to 1.8 MB: some end in each round
        senders.append(Sender(number, path, server, gate))
    total = sum(sender.clip.size_bytes for sender in senders)
    for sender in senders:
        sender.start()
    try:
        for kill in range(KILLS):
            begin, end = total * kill // KILLS, total * (kill + 1) // KILLS
            gate.open_until(max(gate.passed, begin) + (end - begin))
            gate.wait_until_passed(max(gate.passed, begin) + rng.randint(0, (end - begin) // 2))
            assert system.collector is not None
            system.collector.kill()
            system.serve()
        gate.open_until(100 * total)
        for sender in senders:
            sender.join(60)
            assert not sender.is_alive(), "an upload does not end"
    finally:
        gate.end()
    assert sum(sender.broken_off for sender in senders) >= KILLS
    data = tmp_path / "server"
    database = open_database(sqlite_url(data / "collector.sqlite"))
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT id, state, sha256, size_bytes, path FROM clips").all()
    database.close()
    wanted = {(each.clip.clip, "stored", each.sha256, each.clip.size_bytes) for each in senders}
    assert sorted(tuple(row)[:4] for row in rows) == sorted(wanted)
    hashes = {str(row.path): hashlib.sha256((data / row.path).read_bytes()).hexdigest() for row in rows}
    assert sorted(hashes.values()) == sorted(each.sha256 for each in senders)
    kept = {str(path.relative_to(data)) for path in (data / "clips").rglob("*") if path.is_file()}
    assert kept == set(hashes)
    assert [path for path in (data / "uploads").rglob("*") if path.is_file()] == []
    assert "well" in system.run("fsck")
