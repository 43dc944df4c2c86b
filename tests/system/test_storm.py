"""100 boxes of a district lose power at once: the real collector and broker, and boxes that die without a word."""

import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.ingest.broker import hash_secret
from collector.store import boxes
from collector.store.database import open_database, sqlite_url
from tests.support.databases import ON_POSTGRESQL
from tests.support.system import System, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(ON_POSTGRESQL, reason="the programs of this test keep SQLite"),
]
ROOT = Path(__file__).resolve().parents[2]
SECRET = "one-secret-for-a-hundred-boxes"
NAMES = [f"hop-{number:03}" for number in range(100)]


class District:
    def __init__(self, folder: Path) -> None:
        self.system = System(folder)
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "server").mkdir()
        database, secret_hash = open_database(sqlite_url(folder / "server/collector.sqlite")), hash_secret(SECRET)
        with database.write() as connection:
            for number, box in enumerate(NAMES):
                commune, site = f"Xã {number // 50}", f"Ngõ {number // 10}"
                boxes.add_box(connection, box, site, commune, secret_hash, 1)
        database.close()

    def power_on(self) -> None:
        folder = self.system.folder / "boxes"
        command = [sys.executable, "-m", "tests.support.many_boxes", str(folder), str(self.system.broker_port), SECRET]
        log = (self.system.folder / "boxes.log").open("ab")
        self.process = subprocess.Popen([*command, str(uuid.uuid4()), *NAMES], cwd=ROOT, stdout=log, stderr=log)

    def power_off(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.system.folder / "server/collector.sqlite", timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def wait_until_all_are(self, state: str, within_s: float) -> None:
        query = f"SELECT count(*) FROM fleet_states WHERE kind = 'box' AND state = '{state}'"
        wait_for(lambda: self.ask(query) == [(len(NAMES),)], f"all to be {state}", within_s)


@pytest.fixture
def district(tmp_path: Path) -> Iterator[District]:
    made = District(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.power_off()
    made.system.kill()


def test_a_hundred_boxes_that_lose_power_are_one_outage_one_alert_and_one_word_when_they_are_back(
    district: District,
) -> None:
    district.system.serve()
    district.power_on()
    district.wait_until_all_are("up", 120)
    district.power_off()
    district.wait_until_all_are("unreachable", 240)
    assert [row[:3] for row in district.ask("SELECT kind, title, rings FROM alerts")] == [
        ("fleet", "Mất liên lạc 100/100 hộp, gần như tất cả", 1)
    ]
    district.power_on()
    district.wait_until_all_are("up", 120)
    ended = "SELECT count(*) FROM outages WHERE kind NOT IN ('box', 'camera') AND end_ms IS NOT NULL"
    wait_for(lambda: district.ask(ended) == [(1,)], "the outage's end", 30)
    assert district.ask("SELECT kind, hint, json_array_length(members) FROM outages WHERE kind <> 'box'") == [
        ("all", "power", 100)
    ]
    assert [title for (title,) in district.ask("SELECT title FROM alerts ORDER BY created_ms")] == [
        "Mất liên lạc 100/100 hộp, gần như tất cả",
        "Đã liên lạc lại 100/100 hộp: tất cả các nơi",
    ]
    assert district.ask("SELECT count(*) FROM outages WHERE kind = 'box' AND end_ms IS NOT NULL") == [(100,)]
