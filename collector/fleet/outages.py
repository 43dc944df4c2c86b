"""What one look writes about outages, and of which of them people are told.

An outage is open while a box is DOWN or UNREACHABLE, or a camera shows nothing; it is told once, when it has lasted,
and its end is told quietly. Not told are: a camera behind a dead box (for its availability it has an outage of its
own), a box within the outage of its site, its commune or of everything, and what flaps, until it stays away for
LASTING_MS.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, cast

from collector.alerts.texts import AlertFacts, Flapping, GroupFacts, Hint, Subject
from collector.fleet.derive import SCOPES, Look, Thing
from collector.fleet.grouping import EVERYTHING, Group, Scope, is_over
from collector.fleet.state import FLAPS, State
from collector.fleet.telling import Telling, tell
from collector.store import fleet as store
from collector.store.database import Connection
from vonggac.wire.ids import uuid7

LASTING_MS = 1_800_000
GONE = frozenset({State.DOWN, State.BLIND, State.UNREACHABLE})
_THERE = frozenset({State.UP, State.DEGRADED, State.LATE})
_TOLD: dict[State, Subject] = {State.DOWN: "box_down", State.BLIND: "camera_blind"}
_BACK: dict[str, Subject] = {"box": "box_back", "camera": "camera_back"}
_FLAPS: dict[str, Subject] = {"box": "box_flapping", "camera": "camera_flapping"}

Step = Callable[[Connection], int]
"""Writes its part within the transaction and returns how many alerts are new."""


class Outages:
    """Plans the steps; remembers since when most boxes of a scope are back (a restart lets it count anew)."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._eased_ms: dict[Scope, int] = {}

    def plan(self, look: Look, now_ms: int) -> list[Step]:
        """All that is to be written; members before what they are part of, whose end asks them why they were away."""
        ids = {scope: self._id_of(look, scope, now_ms) for scope in look.grouped.groups}
        steps = [step for thing in look.things if (step := self._of_thing(thing, look, ids, now_ms)) is not None]
        open_scopes = [cast("Scope", ref) for ref in look.outages if ref[0] in SCOPES]
        for scope in {**dict.fromkeys(open_scopes), **dict.fromkeys(look.grouped.groups)}:
            step = self._of_scope(scope, look, ids, now_ms)
            steps += [step] if step is not None else []
        return steps

    def _id_of(self, look: Look, scope: Scope, now_ms: int) -> str:
        known = look.outages.get(scope)
        return uuid7(now_ms, os.urandom(10)) if known is None else known.id

    # --- a box or a camera ---------------------------------------------------------------------------------------

    def _of_thing(self, thing: Thing, look: Look, ids: dict[Scope, str], now_ms: int) -> Step | None:
        outage, state = look.outages.get((thing.kind, thing.ref)), thing.verdict.state
        if state not in GONE:
            if outage is None:
                return None
            over = replace(outage, end_ms=now_ms, hint=hint_of(thing, outage))
            is_inside = over.parent is not None and any(over.parent == each.id for each in look.outages.values())
            return lambda connection: self._end(connection, thing, over, is_inside, look, now_ms)
        parent = look.grouped.parent.get(thing.box)
        wanted = replace(
            outage or self._begun(thing, now_ms),
            state=state,
            reason=thing.verdict.reasons[-1] if thing.verdict.reasons else None,
        )
        if parent is not None:
            wanted = replace(wanted, parent=ids[parent])
        is_told = self._is_to_be_told(thing, wanted, look, now_ms)
        if wanted == outage and not is_told:
            return None
        return lambda connection: self._go_on(connection, thing, outage, wanted, is_told, look, now_ms)

    def _begun(self, thing: Thing, now_ms: int) -> store.Outage:
        """Silence began with the last word, unless somebody worked on it until now."""
        silent = thing.verdict.state in (State.DOWN, State.UNREACHABLE) and thing.last_heard_ms is not None
        rested = thing.before is not None and thing.before.state in (State.MAINTENANCE, State.RETIRED)
        return store.Outage(
            id=uuid7(now_ms, os.urandom(10)),
            kind=thing.kind,
            ref=thing.ref,
            state=thing.verdict.state,
            reason=None,
            start_ms=thing.last_heard_ms if silent and not rested and thing.last_heard_ms is not None else now_ms,
            end_ms=None,
            told_ms=None,
            members=thing.members,
            boot_id=thing.boot_id,
        )

    def _is_to_be_told(self, thing: Thing, outage: store.Outage, look: Look, now_ms: int) -> bool:
        if outage.told_ms is not None or thing.verdict.state not in _TOLD:
            return False
        before = thing.before
        since_ms = before.since_ms if before is not None and before.state == thing.verdict.state else now_ms
        waited_ms = now_ms - since_ms
        after_s = self._telling.box_after_s if thing.kind == "box" else self._telling.camera_after_s
        if waited_ms < after_s * 1000 or thing.ref in look.grouped.held:
            return False
        return self._times(thing, look, outage) < FLAPS or waited_ms >= LASTING_MS

    def _times(self, thing: Thing, look: Look, outage: store.Outage) -> int:
        """How often the thing went within the hour, this time with it."""
        is_new = look.outages.get((thing.kind, thing.ref)) is None
        return look.flaps.get((thing.kind, thing.ref), 0) + is_new

    def _go_on(
        self, connection: Connection, thing: Thing, known: store.Outage | None, outage: store.Outage, is_told: bool,
        look: Look, now_ms: int,
    ) -> int:  # fmt: skip
        told = 0
        if is_told:
            told = self._tell(connection, thing, outage, _TOLD[thing.verdict.state], now_ms)
            outage = replace(outage, told_ms=now_ms)
        if known is not None:
            store.change_outage(connection, outage, now_ms)
            return told
        store.begin_outage(connection, outage, now_ms)
        if outage.parent is None and thing.verdict.state in _TOLD and self._times(thing, look, outage) == FLAPS:
            told += self._tell(connection, thing, outage, _FLAPS[thing.kind], now_ms, Flapping(FLAPS, LASTING_MS))
        return told

    def _end(
        self, connection: Connection, thing: Thing, outage: store.Outage, is_inside: bool, look: Look, now_ms: int
    ) -> int:
        store.change_outage(connection, outage, now_ms)
        came_back = thing.verdict.state in (State.UP, State.DEGRADED)
        if outage.told_ms is None or not came_back or is_inside:
            return 0
        return self._tell(connection, thing, outage, _BACK[thing.kind], now_ms)

    def _tell(
        self, connection: Connection, thing: Thing, outage: store.Outage, subject: Subject, now_ms: int,
        flapping: Flapping | None = None,
    ) -> int:  # fmt: skip
        rings = thing.verdict.state in GONE
        facts = AlertFacts(
            subject=subject,
            box=thing.box,
            camera=thing.ref.partition("/")[2] if thing.kind == "camera" else None,
            site=thing.site,
            at_ms=outage.start_ms if rings else now_ms,
            rings=rings,
            reason=outage.reason if rings else None,
            flapping=flapping,
            lasted_ms=None if rings else now_ms - outage.start_ms,
            hint=None if rings else cast("Hint | None", outage.hint),
        )
        return tell(connection, self._telling, outage.id, facts, now_ms)

    # --- a site, a commune, everything ---------------------------------------------------------------------------

    def _of_scope(self, scope: Scope, look: Look, ids: dict[Scope, str], now_ms: int) -> Step | None:
        outage, group = look.outages.get(scope), look.grouped.groups.get(scope)
        states = {thing.ref: thing.verdict.state for thing in look.things if thing.kind == "box"}
        if outage is None:
            assert group is not None  # noqa: S101 - one of the two is there
            begun = self._scope_begun(scope, group, ids[scope], look, now_ms)
            return lambda connection: self._scope_goes_on(connection, scope, None, begun, group, now_ms)
        members = tuple(sorted({*outage.members, *(() if group is None else group.gone)}))
        away = tuple(box for box in members if states.get(box) in GONE)
        if 2 * len(away) < len(members):
            self._eased_ms.setdefault(scope, now_ms)
        else:
            self._eased_ms.pop(scope, None)
        if group is None or is_over(len(away), len(members), self._eased_ms.get(scope), now_ms):
            self._eased_ms.pop(scope, None)
            over = replace(outage, members=members, end_ms=now_ms)
            back = [box for box in members if states.get(box) in _THERE]
            return lambda connection: self._scope_ends(connection, scope, over, away, len(back), now_ms)
        parent = self._parent_of(scope, look, ids)
        wanted = replace(outage, members=members, parent=parent or outage.parent)
        if wanted == outage and not self._is_scope_told(wanted, now_ms):
            return None
        return lambda connection: self._scope_goes_on(connection, scope, outage, wanted, group, now_ms)

    def _scope_begun(self, scope: Scope, group: Group, name: str, look: Look, now_ms: int) -> store.Outage:
        gone = [thing for thing in look.things if thing.kind == "box" and thing.ref in group.gone]
        heard = [thing.last_heard_ms for thing in gone if thing.last_heard_ms is not None]
        known = [look.outages.get(("box", thing.ref)) for thing in gone]
        all_told = all(each is not None and each.told_ms is not None for each in known)
        reasons = [thing.verdict.reasons[-1] for thing in gone if thing.verdict.reasons]
        return store.Outage(
            id=name,
            kind=scope[0],
            ref=scope[1],
            state=State.DOWN,
            reason=max(sorted(set(reasons)), key=reasons.count, default=None),
            start_ms=min(heard, default=now_ms),
            end_ms=None,
            told_ms=now_ms if all_told else None,
            members=tuple(sorted(group.gone)),
        )

    def _parent_of(self, scope: Scope, look: Look, ids: dict[Scope, str]) -> str | None:
        """The larger outage around a scope, in which its boxes are now."""
        around = {look.grouped.parent[box] for box in look.grouped.groups[scope].gone} - {scope}
        return ids[around.pop()] if around else None

    def _is_scope_told(self, outage: store.Outage, now_ms: int) -> bool:
        waited_ms = now_ms - outage.noted_ms
        is_due = waited_ms >= self._telling.box_after_s * 1000
        return outage.told_ms is None and outage.parent is None and is_due

    def _scope_goes_on(
        self, connection: Connection, scope: Scope, known: store.Outage | None, outage: store.Outage, group: Group,
        now_ms: int,
    ) -> int:  # fmt: skip
        told = 0
        if self._is_scope_told(outage, now_ms):
            facts = self._scope_facts(scope, outage, group.gone, group.of, rings=True, now_ms=now_ms)
            told = tell(connection, self._telling, outage.id, facts, now_ms)
            outage = replace(outage, told_ms=now_ms)
        write = store.begin_outage if known is None else store.change_outage
        write(connection, outage, now_ms)
        return told

    def _scope_ends(
        self, connection: Connection, scope: Scope, outage: store.Outage, away: tuple[str, ...], back: int, now_ms: int
    ) -> int:
        hints = store.hints_within(connection, outage.id)
        ended = replace(outage, hint=max(sorted(hints), key=lambda hint: hints[hint], default=None))
        store.change_outage(connection, ended, now_ms)
        if outage.told_ms is None:
            return 0
        store.let_members_go(connection, outage.id, now_ms)
        if outage.parent is not None or not back:
            return 0
        facts = self._scope_facts(scope, ended, away, back + len(away), rings=False, now_ms=now_ms)
        return tell(connection, self._telling, outage.id, facts, now_ms)

    def _scope_facts(
        self, scope: Scope, outage: store.Outage, away: tuple[str, ...], of: int, *, rings: bool, now_ms: int
    ) -> AlertFacts:
        down: Literal["all_down", "group_down"] = "all_down" if scope == EVERYTHING else "group_down"
        return AlertFacts(
            subject=down if rings else "group_back",
            box="",
            at_ms=outage.start_ms if rings else now_ms,
            rings=rings,
            reason=outage.reason if rings else None,
            group=GroupFacts(None if scope == EVERYTHING else place_of(scope), tuple(sorted(away)), of),
            lasted_ms=None if rings else now_ms - outage.start_ms,
            hint=None if rings else cast("Hint | None", outage.hint),
        )


def place_of(scope: tuple[str, str]) -> str:
    """A scope as people call it: "Trường học, Xã A".

    >>> place_of(("site", "Xã A/Trường học"))
    'Trường học, Xã A'
    """
    commune, _, site = scope[1].partition("/")
    return f"{site}, {commune}" if scope[0] == "site" else scope[1]


def hint_of(thing: Thing, outage: store.Outage) -> Hint | None:
    """Why a box was away, as its first heartbeat afterwards shows; None for a camera, and where nothing shows it."""
    if thing.kind != "box" or outage.boot_id is None or thing.boot_id is None:
        return None
    if thing.last_heard_ms is None or thing.last_heard_ms <= outage.start_ms:
        return None  # it ended because somebody works on it, not because it was heard
    if thing.boot_id != outage.boot_id:
        return "power"
    return "program" if (thing.run_began_ms or 0) > outage.start_ms else "network"
