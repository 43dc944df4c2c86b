"""A disk that something else has filled: events still enter by the reserve, and room is made by the policy."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox.budget import DiskBudget, DiskLimits
from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.fsck import check_outbox
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.reserve import RESERVE_BYTES
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, camera_event, clip_file
from vonggac.wire.messages import DataLost

MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("a small file system needs root")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def fill(disk: Path, name: str = "other") -> None:
    with (disk / name).open("wb") as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        os.posix_fallocate(file.fileno(), 0, free)


def test_events_enter_by_the_reserve_and_then_room_is_made_for_more(disk: Path) -> None:
    outbox = Outbox(disk, FakeClock(), BOX)
    for number in range(12):
        outbox.put_clip(*clip_file(disk, number, MIB))
    fill(disk)
    for number in range(500):
        outbox.put_event(camera_event(number))
    assert outbox.last_seq() == 512
    plan = DiskBudget(outbox, DiskLimits(budget_bytes=100 * MIB, min_free_bytes=MIB)).enforce()
    assert 3 <= len(plan.clips) < 12
    assert (disk / "outbox.reserve").stat().st_size == RESERVE_BYTES
    assert outbox.last_seq() == 512 + len(plan.clips)
    outbox.close()
    assert check_outbox(disk, deep=True) == []


def test_with_reserve_and_clips_gone_the_outbox_says_so_and_stays_whole(disk: Path) -> None:
    outbox = Outbox(disk, FakeClock(), BOX)
    fill(disk)
    loss = DataLost(what="video", reason="x" * 4_000)
    while (disk / "outbox.reserve").exists():
        outbox.put_event(loss)
    fill(disk, "more")
    with pytest.raises(OutboxFull, match="Free space on it"):
        outbox.put_events([loss] * 2000)
    stored = outbox.last_seq()
    assert len(outbox.next_events(10_000)) == stored > 0
    outbox.close()
    (disk / "other").unlink()
    (disk / "more").unlink()
    outbox = Outbox(disk, FakeClock(), BOX)
    assert outbox.put_event(loss).seq == stored + 1
    outbox.close()
    assert check_outbox(disk) == []
