"""What goes when the disk is full: delivered clips, then the lowest class, then the oldest, then snapshots; no event.

`plan` is pure; `DiskBudget` looks at the disk and carries the plan out.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.outbox.errors import OutboxFull
from edge_agent.outbox.items import KeptClip
from edge_agent.outbox.outbox import Outbox
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)

REASON = "the box's disk is full"


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """`budget_bytes` for clips and snapshots together; of the disk at least the larger of the other two stays free."""

    budget_bytes: int
    min_free_bytes: int = 0
    min_free_share: float = 0.0


@dataclass(frozen=True, slots=True)
class DiskUse:
    """The disk now; `free_bytes` is what an ordinary user may still write, less what is owed to the reserve."""

    total_bytes: int
    free_bytes: int
    snapshot_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What must go: these clips in this order, then snapshots of so many bytes. `short_bytes` is still missing then."""

    clips: tuple[KeptClip, ...] = ()
    snapshot_bytes: int = 0
    short_bytes: int = 0


def plan(clips: Iterable[KeptClip], use: DiskUse, limits: DiskLimits) -> Plan:
    """The least that has to go, in the order of the policy.

    >>> plan([], DiskUse(total_bytes=100, free_bytes=50, snapshot_bytes=10), DiskLimits(budget_bytes=20))
    Plan(clips=(), snapshot_bytes=0, short_bytes=0)
    """
    kept = sorted(clips, key=_worth)
    used_bytes = sum(clip.size_bytes for clip in kept) + use.snapshot_bytes
    must_stay_free = max(limits.min_free_bytes, int(use.total_bytes * limits.min_free_share))
    need = max(used_bytes - limits.budget_bytes, must_stay_free - use.free_bytes, 0)
    going: list[KeptClip] = []
    for clip in kept:
        if need <= 0:
            break
        going.append(clip)
        need -= clip.size_bytes
    need = max(0, need)
    snapshots = min(need, use.snapshot_bytes)
    return Plan(tuple(going), snapshots, need - snapshots)


def _worth(clip: KeptClip) -> tuple[bool, int, int]:
    if clip.state == "delivered":
        return (False, 0, clip.seq)
    return (True, int(clip.clip_class), clip.seq)


class DiskBudget:
    """Keeps the outbox within its limits; `enforce` is called after a clip was put and every minute."""

    def __init__(self, outbox: Outbox, limits: DiskLimits) -> None:
        self._outbox = outbox
        self._limits = limits
        self._told_short = False

    def enforce(self) -> Plan:
        """Look, and delete what the plan says; each loss of something undelivered is a `data_lost` event."""
        disk = os.statvfs(self._outbox.folder)
        free_bytes = disk.f_bavail * disk.f_frsize - self._outbox.missing_reserve_bytes()
        use = DiskUse(disk.f_blocks * disk.f_frsize, free_bytes, self._outbox.snapshot_bytes())
        todo = plan(self._outbox.kept_clips(), use, self._limits)
        try:
            self._carry_out(todo)
        except OutboxFull as error:  # tried again soon; events go on as long as there is any room
            log.error("disk is so full that making room could not be noted", reason=str(error))
        if todo.short_bytes and not self._told_short:
            log.error("disk is full of what is not the agent's; events go on", missing_bytes=todo.short_bytes)
        self._told_short = todo.short_bytes > 0
        self._outbox.restore_reserve()
        return todo

    def _carry_out(self, todo: Plan) -> None:
        if todo.clips:
            lost = [clip.clip for clip in todo.clips if clip.state != "delivered"]
            freed = self._outbox.forget_clips([clip.clip for clip in todo.clips], REASON)
            log.info("clips deleted for room on the disk", clips=len(todo.clips), undelivered=len(lost), bytes=freed)
        if todo.snapshot_bytes:
            freed = self._outbox.forget_oldest_snapshots(todo.snapshot_bytes, REASON)
            log.warning("snapshots deleted for room on the disk", bytes=freed)
