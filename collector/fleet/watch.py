"""The loop that derives the fleet's states every few seconds, keeps outages, and has technicians told.

One step reads what was heard, derives every state (derive.py), plans what is to be written of outages (outages.py), and
writes what changed in one transaction.
"""

from collections.abc import Callable

from collector.alerts.bell import Bell
from collector.fleet.clones import CloneWatch
from collector.fleet.derive import Thing, look
from collector.fleet.disk import DiskWatch
from collector.fleet.outages import Outages
from collector.fleet.state import Limits
from collector.fleet.telling import Telling
from collector.store import fleet as store
from collector.store.database import Connection, Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)
STEP_S = 2.0
CHECKED_EVERY_MS = 30_000
ASLEEP_MS = 30_000
STEPPED_MS = 5_000


class FleetWatch:
    """Derives states; `listening` says whether the collector hears its boxes at this moment (its broker is there)."""

    def __init__(
        self,
        database: Database,
        telling: Telling,
        alerted: Bell,
        listening: Callable[[], bool],
        limits: Limits | None = None,
        disk: DiskWatch | None = None,
        clones: CloneWatch | None = None,
    ) -> None:
        self._clones = clones
        self._database = database
        self._disk = disk
        self._outages = Outages(telling)
        self._alerted = alerted
        self._listening = listening
        self._limits = limits or Limits()
        self._listening_since_ms: int | None = None
        self._last: tuple[int, float] | None = None  # wall and monotonic time of the last step
        self._checked_ms: int | None = None

    def run(self, pulse: Pulse, stop: Stop, clock: Clock) -> None:
        """Step every two seconds until asked to stop."""
        backoff = Backoff()
        while not stop.is_set():
            pulse.beat()
            try:
                self.step(clock.wall_ms(), clock.mono_ms())
                told = 0 if self._disk is None else self._disk.step(clock.wall_ms())
                told += 0 if self._clones is None else self._clones.step(clock.wall_ms())
                if told:
                    self._alerted.ring()
            except StoreUnavailable as error:
                log.warning("the fleet's watch waits for the database", error=str(error))
                stop.wait(backoff.next_s())
                continue
            backoff.reset()
            stop.wait(STEP_S)

    def step(self, now_ms: int, mono_ms: float) -> None:
        """Derive every state once, and write and tell what changed."""
        since_ms = self._heard_since(now_ms, mono_ms)
        with self._database.read() as connection:
            found = look(connection, now_ms, since_ms, self._limits)
        changed = [thing for thing in found.things if thing.differs]
        steps = self._outages.plan(found, now_ms)
        is_check_due = self._checked_ms is None or not 0 <= now_ms - self._checked_ms < CHECKED_EVERY_MS
        if not changed and not steps and not is_check_due:
            return
        told = 0
        with self._database.write() as connection:
            for thing in changed:
                _write_state(connection, thing, now_ms)
            for step in steps:
                told += step(connection)
            if is_check_due:
                store.mark_checked(connection, now_ms)
        if is_check_due:
            self._checked_ms = now_ms
        if told:
            self._alerted.ring()

    def _heard_since(self, now_ms: int, mono_ms: float) -> int:
        """Since when the collector has been listening without a break of its own: no link, asleep, clock stepped."""
        last, self._last = self._last, (now_ms, mono_ms)
        was_away = last is None or mono_ms - last[1] > ASLEEP_MS
        stepped = last is not None and abs((now_ms - last[0]) - (mono_ms - last[1])) > STEPPED_MS
        if self._listening_since_ms is None or was_away or stepped or not self._listening():
            self._listening_since_ms = now_ms
        return self._listening_since_ms


def _write_state(connection: Connection, thing: Thing, now_ms: int) -> None:
    before = thing.before
    same = before is not None and before.state == thing.verdict.state
    standing = store.Standing(
        kind=thing.kind,
        ref=thing.ref,
        state=thing.verdict.state,
        since_ms=before.since_ms if same and before is not None else now_ms,
        reasons=thing.verdict.reasons,
    )
    store.put_standing(connection, standing, now_ms)
    if not same:
        log.info(
            "state changed",
            kind=thing.kind,
            ref=thing.ref,
            state=str(thing.verdict.state),
            before=None if before is None else before.state,
            reasons=list(thing.verdict.reasons),
        )
