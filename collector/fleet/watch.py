"""The loop that derives the fleet's states every few seconds, keeps outages, and has technicians told.

One step reads what was heard, derives every state, and writes what changed in one transaction. An outage is open while
a box is DOWN or a camera shows nothing; it is told once, when it has lasted, and its end is told quietly. A camera
behind a dead box has an outage of its own (for its availability), but nobody is told of it: the box was told.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from collector.alerts.bell import Bell
from collector.alerts.texts import AlertFacts, Subject
from collector.fleet.clones import CloneWatch
from collector.fleet.disk import DiskWatch
from collector.fleet.facts import box_facts, camera_facts
from collector.fleet.state import FRESH, Limits, State, Verdict, box_state, camera_state
from collector.fleet.telling import Telling, tell
from collector.store import fleet as store
from collector.store.database import Connection, Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.ids import uuid7

log = get_logger(__name__)
STEP_S = 2.0
CHECKED_EVERY_MS = 30_000
ASLEEP_MS = 30_000
STEPPED_MS = 5_000
_GONE = frozenset({State.DOWN, State.BLIND, State.UNREACHABLE})
_TOLD: dict[State, Subject] = {State.DOWN: "box_down", State.BLIND: "camera_blind"}
_BACK: dict[str, Subject] = {"box": "box_back", "camera": "camera_back"}


@dataclass(frozen=True)
class _Thing:
    """A box or camera and its state now."""

    kind: str
    ref: str
    box: str
    site: str
    verdict: Verdict
    last_heard_ms: int | None
    members: tuple[str, ...] = ()


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
        self._telling = telling
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
            things, standings = self._derive(connection, now_ms, since_ms)
            outages = store.open_outages(connection)
        changed = [thing for thing in things if _differs(thing, standings.get((thing.kind, thing.ref)))]
        steps = [step for thing in things if (step := self._outage_step(thing, standings, outages, now_ms)) is not None]
        is_check_due = self._checked_ms is None or not 0 <= now_ms - self._checked_ms < CHECKED_EVERY_MS
        if not changed and not steps and not is_check_due:
            return
        told = 0
        with self._database.write() as connection:
            for thing in changed:
                self._write_state(connection, thing, standings.get((thing.kind, thing.ref)), now_ms)
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

    # --- deriving ------------------------------------------------------------------------------------------------

    def _derive(
        self, connection: Connection, now_ms: int, since_ms: int
    ) -> tuple[list[_Thing], dict[tuple[str, str], store.Standing]]:
        standings = store.standings(connection)
        resting = store.under_maintenance(connection, now_ms)
        of_box: dict[str, list[store.CameraHeard]] = {}
        for camera in store.cameras_heard(connection):
            of_box.setdefault(camera.box, []).append(camera)
        things = []
        for box in store.boxes_heard(connection):
            rests = bool({("box", box.id), ("site", box.site), ("commune", box.commune)} & resting)
            before = _before(standings.get(("box", box.id)))
            mine = of_box.get(box.id, [])
            blind = sum(
                _before(standings.get(("camera", camera.id))).state is State.BLIND
                for camera in mine
                if camera.configured
            )
            facts = box_facts(box, since_ms, blind)
            if box.removed_ms is not None:
                verdict = Verdict(State.RETIRED)
            elif rests:
                verdict = Verdict(State.MAINTENANCE)
            else:
                verdict = box_state(facts, before, now_ms, self._limits)
            members = tuple(camera.id for camera in mine if camera.configured)
            things.append(_Thing("box", box.id, box.id, box.site, verdict, box.heartbeat_ms, members))
            for camera in mine:
                camera_rests = ("camera", camera.id) in resting
                seen = self._camera(box, camera, standings, verdict, since_ms, rests=camera_rests)
                things.append(_Thing("camera", camera.id, box.id, box.site, seen, box.heartbeat_ms))
        return things, standings

    def _camera(
        self,
        box: store.BoxHeard,
        camera: store.CameraHeard,
        standings: dict[tuple[str, str], store.Standing],
        of_box: Verdict,
        since_ms: int,
        *,
        rests: bool,
    ) -> Verdict:
        if not camera.configured:
            return Verdict(State.RETIRED)
        if rests:
            return Verdict(State.MAINTENANCE)
        before = _before(standings.get(("camera", camera.id)))
        return camera_state(camera_facts(box, camera), before, of_box, since_ms, self._limits)

    # --- writing and telling -------------------------------------------------------------------------------------

    def _write_state(self, connection: Connection, thing: _Thing, before: store.Standing | None, now_ms: int) -> None:
        same = before is not None and before.state == thing.verdict.state
        since_ms = before.since_ms if same and before is not None else now_ms
        store.put_standing(
            connection,
            store.Standing(
                kind=thing.kind,
                ref=thing.ref,
                state=thing.verdict.state,
                since_ms=since_ms,
                reasons=thing.verdict.reasons,
            ),
            now_ms,
        )
        if not same:
            log.info(
                "state changed",
                kind=thing.kind,
                ref=thing.ref,
                state=str(thing.verdict.state),
                before=None if before is None else before.state,
                reasons=list(thing.verdict.reasons),
            )

    def _outage_step(
        self,
        thing: _Thing,
        standings: dict[tuple[str, str], store.Standing],
        outages: dict[tuple[str, str], store.Outage],
        now_ms: int,
    ) -> Callable[[Connection], int] | None:
        """What is to be written about the thing's outage, if anything; it returns the number of alerts."""
        outage, state = outages.get((thing.kind, thing.ref)), thing.verdict.state
        reason = thing.verdict.reasons[0] if thing.verdict.reasons else None
        if state not in _GONE:
            if outage is None:
                return None
            over = replace(outage, end_ms=now_ms)
            return lambda connection: self._end(connection, thing, over, now_ms)
        standing = standings.get((thing.kind, thing.ref))
        since_ms = standing.since_ms if standing is not None and standing.state == state else now_ms
        if outage is None:
            is_silence = state in (State.DOWN, State.UNREACHABLE)
            start_ms = thing.last_heard_ms if is_silence and thing.last_heard_ms is not None else now_ms
            outage = store.Outage(
                id=uuid7(now_ms, os.urandom(10)),
                kind=thing.kind,
                ref=thing.ref,
                state=state,
                reason=reason,
                start_ms=start_ms,
                end_ms=None,
                told_ms=None,
            )
            return lambda connection: self._begin(connection, thing, outage, since_ms, now_ms)
        if outage.state != state or self._is_to_be_told(thing, outage, since_ms, now_ms):
            moved = replace(outage, state=state, reason=reason)
            return lambda connection: self._go_on(connection, thing, moved, since_ms, now_ms)
        return None

    def _begin(self, connection: Connection, thing: _Thing, outage: store.Outage, since_ms: int, now_ms: int) -> int:
        store.begin_outage(connection, outage, thing.members, now_ms)
        if self._is_to_be_told(thing, outage, since_ms, now_ms):
            return self._go_on(connection, thing, outage, since_ms, now_ms)
        return 0

    def _go_on(self, connection: Connection, thing: _Thing, outage: store.Outage, since_ms: int, now_ms: int) -> int:
        told = 0
        if self._is_to_be_told(thing, outage, since_ms, now_ms):
            told = self._tell(connection, thing, outage, _TOLD[thing.verdict.state], now_ms)
            outage = replace(outage, told_ms=now_ms)
        store.change_outage(connection, outage, now_ms)
        return told

    def _end(self, connection: Connection, thing: _Thing, outage: store.Outage, now_ms: int) -> int:
        store.change_outage(connection, outage, now_ms)
        came_back = thing.verdict.state in (State.UP, State.DEGRADED)
        if outage.told_ms is None or not came_back:
            return 0
        return self._tell(connection, thing, outage, _BACK[thing.kind], now_ms)

    def _is_to_be_told(self, thing: _Thing, outage: store.Outage, since_ms: int, now_ms: int) -> bool:
        after_s = self._telling.box_after_s if thing.kind == "box" else self._telling.camera_after_s
        return outage.told_ms is None and thing.verdict.state in _TOLD and now_ms - since_ms >= after_s * 1000

    def _tell(self, connection: Connection, thing: _Thing, outage: store.Outage, subject: Subject, now_ms: int) -> int:
        rings = thing.verdict.state in _GONE
        facts = AlertFacts(
            subject=subject,
            box=thing.box,
            camera=thing.ref.partition("/")[2] if thing.kind == "camera" else None,
            site=thing.site,
            at_ms=outage.start_ms if rings else now_ms,
            rings=rings,
            reason=outage.reason if rings else None,
        )
        return tell(connection, self._telling, outage.id, facts, now_ms)


def _before(standing: store.Standing | None) -> Verdict:
    """The state so far; what people had set and have unset is forgotten."""
    if standing is None or standing.state in (State.MAINTENANCE, State.RETIRED):
        return FRESH
    return Verdict(State(standing.state), standing.reasons)


def _differs(thing: _Thing, standing: store.Standing | None) -> bool:
    return standing is None or (standing.state, standing.reasons) != (thing.verdict.state, thing.verdict.reasons)
