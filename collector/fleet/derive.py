"""One look at the whole fleet: what was heard, and the state of every box and camera that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from collector.fleet.facts import box_facts, camera_facts, run_began_ms
from collector.fleet.grouping import Grouped, Judged, Scope, group, site_scope
from collector.fleet.state import FLAP_MS, FRESH, Limits, State, Verdict, box_state, camera_state
from collector.store import fleet as store
from collector.store.database import Connection

SCOPES = ("site", "commune", "all")
_SET_BY_PEOPLE = (State.MAINTENANCE, State.RETIRED)


@dataclass(frozen=True)
class Thing:
    """A box or camera and its state now. `members` are a box's cameras; `boot_id` is of its last heartbeat."""

    kind: Literal["box", "camera"]
    ref: str
    box: str
    site: str
    verdict: Verdict
    before: store.Standing | None
    last_heard_ms: int | None
    members: tuple[str, ...] = ()
    boot_id: str | None = None
    run_began_ms: int | None = None

    @property
    def differs(self) -> bool:
        """Is the state another one than is written?"""
        before = self.before
        return before is None or (before.state, before.reasons) != (self.verdict.state, self.verdict.reasons)


@dataclass(frozen=True)
class Look:
    """What one look found. `flaps`: how many outages of each thing began within the last hour."""

    things: tuple[Thing, ...]
    outages: Mapping[tuple[str, str], store.Outage]
    grouped: Grouped
    flaps: Mapping[tuple[str, str], int]


def look(connection: Connection, now_ms: int, since_ms: int, limits: Limits) -> Look:
    """Derive every state; `since_ms`: since when the collector has been listening without a break."""
    standings = store.standings(connection)
    resting = store.under_maintenance(connection, now_ms)
    outages = store.open_outages(connection)
    flaps = store.begun_since(connection, now_ms - FLAP_MS)
    cameras: dict[str, list[store.CameraHeard]] = {}
    for camera in store.cameras_heard(connection):
        cameras.setdefault(camera.box, []).append(camera)
    heard = store.boxes_heard(connection)
    own = {}
    for box in heard:
        blind = sum(
            _before(standings.get(("camera", camera.id))).state is State.BLIND
            for camera in cameras.get(box.id, ())
            if camera.configured
        )
        before = _before(standings.get(("box", box.id)))
        facts = box_facts(box, since_ms, blind, flaps.get(("box", box.id), 0))
        own[box.id] = _own(box, before, resting) or box_state(facts, before, now_ms, limits)
    judged = [
        Judged(box.id, box.commune, box.site, own[box.id].state, _down_ms(standings.get(("box", box.id)), now_ms))
        for box in heard
    ]
    grouped = group(judged, [scope for scope in outages if scope[0] in SCOPES])  # type: ignore[misc]
    things: list[Thing] = []
    for box in heard:
        verdict = _behind(own[box.id], grouped.parent.get(box.id))
        mine = cameras.get(box.id, [])
        things.append(
            Thing(
                "box",
                box.id,
                box.id,
                box.site,
                verdict,
                standings.get(("box", box.id)),
                box.heartbeat_ms,
                tuple(camera.id for camera in mine if camera.configured),
                box.boot_id,
                run_began_ms(box),
            )
        )
        for camera in mine:
            standing = standings.get(("camera", camera.id))
            facts_of = camera_facts(box, camera, flaps.get(("camera", camera.id), 0))
            seen = _set_by_people(camera, resting) or camera_state(
                facts_of, _before(standing), verdict, since_ms, limits
            )
            things.append(Thing("camera", camera.id, box.id, box.site, seen, standing, box.heartbeat_ms))
    return Look(tuple(things), outages, grouped, flaps)


def _own(box: store.BoxHeard, before: Verdict, resting: set[tuple[str, str]]) -> Verdict | None:
    """The state that people set; None where there is none."""
    if box.removed_ms is not None:
        return Verdict(State.RETIRED)
    if {("box", box.id), site_scope(box.commune, box.site), ("commune", box.commune)} & resting:
        return Verdict(State.MAINTENANCE)
    return None


def _set_by_people(camera: store.CameraHeard, resting: set[tuple[str, str]]) -> Verdict | None:
    if not camera.configured:
        return Verdict(State.RETIRED)
    return Verdict(State.MAINTENANCE) if ("camera", camera.id) in resting else None


def _down_ms(standing: store.Standing | None, now_ms: int) -> int:
    """For how long the box has been gone by now."""
    is_gone = standing is not None and standing.state in (State.DOWN, State.UNREACHABLE)
    return now_ms - standing.since_ms if standing is not None and is_gone else 0


def _behind(verdict: Verdict, parent: Scope | None) -> Verdict:
    """UNREACHABLE behind a place that is gone; the box's own reasons stand behind that one."""
    return verdict if parent is None else Verdict(State.UNREACHABLE, (f"{parent[0]}_gone", *verdict.reasons))


def _before(standing: store.Standing | None) -> Verdict:
    """The box's or camera's own state so far; what people had set and have unset is forgotten."""
    if standing is None or standing.state in _SET_BY_PEOPLE:
        return FRESH
    if standing.kind == "box" and standing.state == State.UNREACHABLE:
        return Verdict(State.DOWN, standing.reasons[1:])
    return Verdict(State(standing.state), standing.reasons)
