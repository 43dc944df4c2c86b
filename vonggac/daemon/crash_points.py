"""Named points within the steps of durability, at which a trial has the process die as in a power cut.

Rules: nothing happens unless VONGGAC_CRASH_AT (`point`, or `point:n` for its n-th reach) stood in the environment when
the program started; a name that is none is refused then. docs/design/durability.md says which crash each step survives.
"""

import os
import signal

VARIABLE = "VONGGAC_CRASH_AT"
POINTS = frozenset(
    {
        "outbox.put.written",
        "outbox.put.committed",
        "outbox.receipt.written",
        "outbox.receipt.committed",
        "outbox.forget.marked",
        "outbox.forget.unlinked",
        "outbox.forget.synced",
        "clip.begun",
        "clip.part.synced",
        "clip.sealed",
        "clip.renamed",
        "upload.created",
        "upload.chunk.sent",
        "upload.whole",
        "snapshot.written",
        "intake.written",
        "intake.committed",
        "intake.acked",
        "receipt.due",
        "store.begun",
        "store.chunk.written",
        "store.hashed",
        "store.renamed",
        "store.committed",
        "alert.claimed",
        "alert.sent",
        "alert.marked",
        "retention.clip.marked",
        "retention.clip.unlinked",
        "update.fetching",
        "update.fetched",
        "update.unpacking",
        "update.unpacked",
        "update.placed",
        "update.noted",
        "update.switched",
        "update.restarted",
        "update.watching",
        "update.passed",
        "update.proven",
        "update.returning",
        "update.returned",
        "update.back",
    }
)


def read_variable(text: str | None) -> tuple[str, int]:
    """The point and how many times it is to be passed; ("", 0) for none.

    >>> read_variable("clip.sealed:3")
    ('clip.sealed', 3)
    """
    if not text:
        return "", 0
    point, _, times = text.partition(":")
    if point not in POINTS:
        raise SystemExit(f"{VARIABLE}: {point!r} is no crash point. There are: {', '.join(sorted(POINTS))}")
    if times and not (times.isascii() and times.isdigit() and int(times)):
        raise SystemExit(f"{VARIABLE}: {times!r} is not how many times; write {point}:1 or more")
    return point, int(times or 1)


class _Fuse:
    """Burns down once, in whichever thread."""

    def __init__(self, text: str | None) -> None:
        self.point, self.left = read_variable(text)

    def reach(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


reach = _Fuse(os.environ.get(VARIABLE)).reach
"""`reach("clip.sealed")`: the program stands at this point."""
