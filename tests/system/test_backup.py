"""Backup of a running collector, its loss, and its return, with a box that sends all the time."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import ON_POSTGRESQL
from tests.support.light_box import LightBox
from tests.support.outbox_items import BOX
from tests.support.system import System, program, wait_for

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="the programs of this test keep SQLite")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, "uploads: {keep_free: 100MiB}\nretention: {keep_free: 100MiB}\n")
    yield system
    system.kill()


def fsck(system: System) -> str:
    command = [program("collector"), "fsck", "--deep", "--config", str(system.folder / "collector.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def missing(system: System) -> int:
    (box,) = [json.loads(line) for line in system.run("boxes", "--json").splitlines()]
    return int(box["missing_events"])


def test_a_collector_that_lost_its_disk_comes_back_from_its_backup_and_tells_what_came_after(
    tmp_path: Path, system: System
) -> None:
    system.add_box(BOX)
    system.serve()
    box = LightBox(system, tmp_path / "box")
    try:
        box.feed()
        wait_for(lambda: '"state": "stored"' in system.run("clips", "--json"), "a clip")
        first = json.loads(system.run("backup", str(tmp_path / "backup"), "--json"))
        second = json.loads(system.run("backup", str(tmp_path / "backup"), "--json"))
        assert first["broken"] == second["broken"] == []
        assert second["kept"] == first["files"]
        assert second["linked"] > 0
        box.stop_feeding()
        box.wait_until_empty()
        last_seq = box.outbox.last_seq()

        assert system.collector is not None
        system.collector.kill()
        (tmp_path / "server").rename(tmp_path / "lost")
        restored = json.loads(system.run("restore", str(tmp_path / "backup"), "--json"))
        assert (restored["files"], restored["lost"]) == (second["files"], [])
        assert "hole" not in fsck(system)

        system.serve()
        told = wait_for(lambda: re.search(r"hole: box box-1: events (\d+)–(\d+) of", fsck(system)), "a heartbeat")
        begin, end = (int(number) for number in told.groups())
        assert begin <= end == last_seq
        gone = end - begin + 1

        box.put()
        box.wait_until_empty()
        assert missing(system) == gone
        assert f"events {begin}–{end} of {box.outbox.id} will not come" in fsck(system)
        assert "restored from the backup of" in fsck(system)
    finally:
        box.close()
    assert system.stop() == {"collector": 0}
