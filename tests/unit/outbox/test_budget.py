"""The disk budget's policy as tables, and its thin part on a real folder."""

from pathlib import Path

import pytest

from edge_agent.outbox.budget import DiskBudget, DiskLimits, DiskUse, plan
from edge_agent.outbox.items import ClipClass, ClipState, KeptClip
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, clip_file
from vonggac.wire.codec import decode
from vonggac.wire.messages import DataLost, Receipt

R, N, A = ClipClass.ROUTINE, ClipClass.NORMAL, ClipClass.ALERT


def kept(name: str, seq: int, clip_class: ClipClass = N, state: ClipState = "waiting", size: int = 100) -> KeptClip:
    return KeptClip(name, "episode", "gate", seq, size, clip_class, state, Path(name))


MIXED = [
    kept("new-routine", 9, R),
    kept("old-alert", 1, A),
    kept("delivered-new", 8, A, "delivered"),
    kept("delivered-old", 2, R, "delivered"),
    kept("old-normal", 3),
    kept("parked-normal", 4, N, "parked"),
    kept("old-routine", 5, R),
]
ORDER = ["delivered-old", "delivered-new", "old-routine", "new-routine", "old-normal", "parked-normal", "old-alert"]


@pytest.mark.parametrize("count", range(8))
def test_delivered_go_first_then_the_lowest_class_then_the_oldest(count: int) -> None:
    use = DiskUse(total_bytes=10_000, free_bytes=5_000, snapshot_bytes=0)
    found = plan(MIXED, use, DiskLimits(budget_bytes=700 - 100 * count))
    assert [clip.clip for clip in found.clips] == ORDER[:count]


@pytest.mark.parametrize(
    ("free", "limits", "clips", "snapshots", "short"),
    [
        (5000, DiskLimits(1000), 0, 0, 0),
        (5000, DiskLimits(749), 1, 0, 0),
        (5000, DiskLimits(50), 7, 0, 0),
        (5000, DiskLimits(0), 7, 50, 0),
        (300, DiskLimits(1000, min_free_bytes=450), 2, 0, 0),
        (300, DiskLimits(1000, min_free_share=0.05), 2, 0, 0),
        (300, DiskLimits(1000, min_free_bytes=301, min_free_share=0.05), 2, 0, 0),
        (0, DiskLimits(1000, min_free_bytes=2000), 7, 50, 1250),
    ],
)
def test_the_budget_and_the_free_share_hold_and_no_more_goes_than_must(
    free: int, limits: DiskLimits, clips: int, snapshots: int, short: int
) -> None:
    found = plan(MIXED, DiskUse(total_bytes=10_000, free_bytes=free, snapshot_bytes=50), limits)
    assert (len(found.clips), found.snapshot_bytes, found.short_bytes) == (clips, snapshots, short)


def test_enforcing_deletes_files_and_tells_each_loss(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    files = [clip_file(tmp_path, number) for number in range(4)]
    for body, path in files:
        outbox.put_clip(body, path)
    outbox.receipt(Receipt(outbox=outbox.id, ranges=((1, 4),), clips=(files[2][0].sha256,)))
    DiskBudget(outbox, DiskLimits(budget_bytes=2000)).enforce()
    assert [path.exists() for _, path in files] == [False, True, False, True]
    bodies = [decode(event.message).body for event in outbox.next_events(10)]
    assert [(body.clip, body.reason) for body in bodies if isinstance(body, DataLost)] == [
        (an_id(0), "the box's disk is full")
    ]
    assert DiskBudget(outbox, DiskLimits(budget_bytes=2000)).enforce().clips == ()
    outbox.close()
