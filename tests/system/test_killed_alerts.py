"""The whole collector is killed between claim, send and mark of alerts: none is lost, and few are told twice."""

import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.torture.hook import Hook
from collector.store.database import open_database, sqlite_url
from tests.support.brokers import free_port
from tests.support.databases import ON_POSTGRESQL
from tests.support.duty import Duty
from tests.support.system import Program, System, wait_for
from vonggac.daemon.clock import SystemClock
from vonggac.daemon.crash_points import VARIABLE

POINTS = ("alert.claimed", "alert.sent", "alert.marked")
pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="the programs of this test keep SQLite")


class Post:
    """A real collector whose alerts go to a telephone; what a box would tell is written as ingest writes it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.hook = Hook(port, r"(hop-\d+)/cong")
        urls = folder / "phone.urls"
        urls.write_text(f"json://127.0.0.1:{port}/alerts\n", encoding="utf-8")
        urls.chmod(0o600)
        self.system = System(
            folder,
            "alerts:\n  rules: [{name: all, channels: [phone], cool_down: 0s, rings_an_hour: 100000}]\n"
            "  channels: [{name: phone, urls_file: phone.urls}]\n",
        )
        server = folder / "server"
        server.mkdir(mode=0o700)
        self.url = sqlite_url(server / "collector.sqlite")
        open_database(self.url).close()
        self.duty = Duty(folder, now_ms=1, url=self.url)
        self.seen = 0

    def something_moves(self) -> None:
        """On a camera of its own, so that it is an incident of its own."""
        self.seen += 1
        box, self.duty.now_ms = f"hop-{self.seen:03}", SystemClock().wall_ms()
        self.duty.box(box, "Ngã ba chợ", ("cong",))
        self.duty.started(box, "cong", self.duty.now_ms)

    def run_until_killed_at(self, point: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, point)
            died = self.system.launch()
        assert died.process.wait(60) == -signal.SIGKILL, (point, died.log.read_text()[-2000:])

    def deliver_the_rest(self) -> Program:
        program = self.system.launch()
        wait_for(lambda: self.states() == {"sent": self.seen}, "every alert to be sent", 60)
        return program

    def states(self) -> dict[str, int]:
        with closing(sqlite3.connect(self.system.folder / "server/collector.sqlite", timeout=20)) as connection:
            return dict(connection.execute("SELECT state, count(*) FROM alerts WHERE channel = 'phone' GROUP BY state"))


@pytest.fixture
def post(tmp_path: Path):
    made = Post(tmp_path)
    yield made
    made.system.kill()
    made.duty.database.close()
    made.hook.close()


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])], ids=["quick", "a hundred"]
)
def test_a_collector_that_is_killed_at_every_step_of_delivery_loses_no_alert(post: Post, kills: int) -> None:
    for index in range(kills):
        post.something_moves()
        post.run_until_killed_at(POINTS[index % 3])
    program = post.deliver_the_rest()
    assert program.stop() == 0
    told = Counter(post.hook.got)
    assert set(told) == {f"hop-{number:03}" for number in range(1, kills + 1)}, "an alert was lost"
    repeats = told.total() - len(told)
    print(f"{kills} kills, {len(told)} alerts, {repeats} told again")
    assert 0 < repeats <= kills
