"""What a box and a camera are, derived from what was heard and from time. PURE: two tables, read from the top.

Rules: the newest word counts. Silence is counted from the last heartbeat, or from the moment at which the collector
itself began to listen again: its own downtime is nobody's silence, and until a deadline has passed since then the old
state stands. A box: LATE after two missed heartbeats, or at once on its last will; DOWN after 180 s (or four intervals,
if longer), or 90 s after its last will. (Kerberos Hub takes 180 s too.) A box whose site or commune is gone is
UNREACHABLE (grouping.py), and a camera behind a DOWN or UNREACHABLE box, never blind. What came and went FLAPS times
within FLAP_MS is DEGRADED while it is there, so that it does not look well every other minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeVar

from vonggac.wire.messages import Clock


class State(StrEnum):
    """States of boxes and cameras. People set MAINTENANCE and RETIRED; UNREACHABLE lies behind something dead."""

    NEW = "new"
    UP = "up"
    LATE = "late"
    DOWN = "down"
    DEGRADED = "degraded"
    BLIND = "blind"
    UNREACHABLE = "unreachable"
    MAINTENANCE = "maintenance"
    RETIRED = "retired"


@dataclass(frozen=True)
class Limits:
    """From where on something is wrong."""

    late_intervals: float = 2.0
    slack_s: float = 5.0
    down_after_s: float = 180.0
    down_intervals: float = 4.0
    lost_after_s: float = 90.0
    blind_after_s: float = 30.0
    settle_s: float = 30.0
    event_fresh_s: float = 300.0
    outbox_old_s: float = 600.0
    disk_free_share: float = 0.05
    memory_free_share: float = 0.05
    hot_c: float = 80.0


@dataclass(frozen=True)
class BoxFacts:
    """What was last heard of a box. `_ms` are the collector's own stamps; ages are as of the last heartbeat.

    `status` is the retained word: "online" (birth), "lost" (last will), "stopped" (it said so), None: never heard.
    `listening_since_ms`: since when the collector has been listening without a break.
    """

    heartbeat_ms: int | None
    interval_s: float
    status: Literal["online", "lost", "stopped"] | None
    status_ms: int | None
    listening_since_ms: int
    clock: Clock = "synced"
    outbox_parked: int = 0
    outbox_oldest_age_ms: int | None = None
    disk_free_share: float | None = None
    memory_free_share: float | None = None
    temperature_c: float | None = None
    throttled: int | None = None
    changed_files: int = 0
    blind_cameras: int = 0
    flaps: int = 0


@dataclass(frozen=True)
class CameraFacts:
    """What was last heard of a camera. `event` is the last camera_state event; a newer heartbeat outweighs it."""

    heartbeat_ms: int | None
    online_since_ms: int | None
    last_frame_age_ms: int | None
    main: Literal["connecting", "streaming", "unavailable"] | None
    sub: Literal["connecting", "streaming", "unavailable"] | None = None
    event: Literal["up", "down"] | None = None
    event_since_ms: int | None = None
    event_received_ms: int | None = None
    tampers: frozenset[str] = frozenset()
    demoted: bool = False
    flaps: int = 0


@dataclass(frozen=True)
class Verdict:
    """A state and why. Reasons are words of a catalogue, in a fixed order."""

    state: State
    reasons: tuple[str, ...] = ()


FLAPS = 3
FLAP_MS = 3_600_000
"""What went so often within so long flaps: `flaps` counts the outages that began within."""
FRESH = Verdict(State.NEW)
DEFAULT_LIMITS = Limits()
_View = TypeVar("_View")
_SET_BY_PEOPLE = frozenset({State.MAINTENANCE, State.RETIRED})
_UNDER_VOLTAGE = 0x1
_SLOWED_NOW = 0x2 | 0x4 | 0x8


# --- boxes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Box:
    """The facts, the state so far, and the durations that the table asks for."""

    facts: BoxFacts
    before: Verdict
    limits: Limits
    silent_s: float
    gone_s: float | None

    @property
    def never_heard(self) -> bool:
        return self.facts.heartbeat_ms is None and self.facts.status is None

    @property
    def unheard(self) -> bool:
        """No heartbeat yet since the collector began to listen."""
        return self.facts.heartbeat_ms is None or self.facts.heartbeat_ms < self.facts.listening_since_ms

    @property
    def was_down(self) -> bool:
        return self.before.state is State.DOWN

    @property
    def silent_too_long(self) -> bool:
        limits = self.limits
        return self.silent_s > max(limits.down_after_s, limits.down_intervals * self.facts.interval_s + limits.slack_s)

    @property
    def lost_too_long(self) -> bool:
        return self.facts.status == "lost" and self.gone_s is not None and self.gone_s > self.limits.lost_after_s

    @property
    def missed_some(self) -> bool:
        return self.silent_s > self.limits.late_intervals * self.facts.interval_s + self.limits.slack_s

    @property
    def why_silent(self) -> tuple[str, ...]:
        return (str(self.facts.status),) if self.gone_s is not None else ("silent",)


_BOX_TABLE: tuple[tuple[Callable[[_Box], bool], Callable[[_Box], Verdict]], ...] = (
    (lambda b: b.before.state in _SET_BY_PEOPLE, lambda b: b.before),
    (lambda b: b.never_heard, lambda b: b.before),
    (lambda b: b.was_down and (b.unheard or b.gone_s is not None), lambda b: b.before),
    (lambda b: b.lost_too_long or b.silent_too_long, lambda b: Verdict(State.DOWN, b.why_silent)),
    (lambda b: b.gone_s is not None or b.missed_some, lambda b: Verdict(State.LATE, b.why_silent)),
    (lambda b: b.unheard, lambda b: b.before),
    (lambda b: _ails(b.facts, b.limits) != (), lambda b: Verdict(State.DEGRADED, _ails(b.facts, b.limits))),
    (lambda b: True, lambda b: Verdict(State.UP)),
)


def box_state(facts: BoxFacts, before: Verdict, now_ms: int, limits: Limits = DEFAULT_LIMITS) -> Verdict:
    """The state of a box now, given the state so far."""
    heard_ms = facts.heartbeat_ms
    if heard_ms is None and facts.status == "online":
        heard_ms = facts.status_ms  # a birth, and no heartbeat behind it yet
    silent_ms = now_ms - max(heard_ms or 0, facts.listening_since_ms)
    gone_s = None
    if facts.status in ("lost", "stopped") and facts.status_ms is not None and facts.status_ms >= (heard_ms or 0):
        gone_s = (now_ms - facts.status_ms) / 1000
    return _first(_BOX_TABLE, _Box(facts, before, limits, silent_ms / 1000, gone_s))


def _ails(facts: BoxFacts, limits: Limits) -> tuple[str, ...]:
    """What is wrong with a box that is there."""
    oldest_ms, throttled = facts.outbox_oldest_age_ms, facts.throttled or 0
    checks = (
        ("cameras_blind", facts.blind_cameras > 0),
        ("software_changed", facts.changed_files > 0),
        ("disk_low", _below(facts.disk_free_share, limits.disk_free_share)),
        ("outbox_parked", facts.outbox_parked > 0),
        ("outbox_old", oldest_ms is not None and oldest_ms > limits.outbox_old_s * 1000),
        ("clock_unset", facts.clock == "unset"),
        ("under_voltage", bool(throttled & _UNDER_VOLTAGE)),
        ("slowed", bool(throttled & _SLOWED_NOW)),
        ("hot", facts.temperature_c is not None and facts.temperature_c >= limits.hot_c),
        ("memory_low", _below(facts.memory_free_share, limits.memory_free_share)),
        ("flapping", facts.flaps >= FLAPS),
    )
    return tuple(name for name, holds in checks if holds)


# --- cameras -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Camera:
    """The facts, the state so far and the state of its box."""

    facts: CameraFacts
    before: Verdict
    box: Verdict
    limits: Limits
    listening_since_ms: int

    @property
    def newest_event(self) -> str | None:
        """The camera_state event, if nothing newer is known and it is no backlog from an outage."""
        facts = self.facts
        if facts.event is None or facts.event_received_ms is None or facts.event_since_ms is None:
            return None
        if facts.heartbeat_ms is not None and facts.heartbeat_ms > facts.event_received_ms:
            return None
        fresh = abs(facts.event_received_ms - facts.event_since_ms) <= self.limits.event_fresh_s * 1000
        return facts.event if fresh else None

    @property
    def unheard(self) -> bool:
        return self.facts.heartbeat_ms is None or self.facts.heartbeat_ms < self.listening_since_ms

    @property
    def settling(self) -> bool:
        """The agent has only just started: no picture yet says nothing."""
        facts = self.facts
        if facts.heartbeat_ms is None or facts.online_since_ms is None or facts.main == "unavailable":
            return facts.heartbeat_ms is None
        age_ms = facts.heartbeat_ms - facts.online_since_ms
        return facts.last_frame_age_ms is None and age_ms <= self.limits.settle_s * 1000

    @property
    def no_frames(self) -> bool:
        age_ms = self.facts.last_frame_age_ms
        return age_ms is None or age_ms > self.limits.blind_after_s * 1000


_CAMERA_TABLE: tuple[tuple[Callable[[_Camera], bool], Callable[[_Camera], Verdict]], ...] = (
    (lambda c: c.before.state in _SET_BY_PEOPLE, lambda c: c.before),
    (lambda c: c.box.state in _SET_BY_PEOPLE, lambda c: c.box),
    (lambda c: c.box.state in (State.DOWN, State.UNREACHABLE), lambda _: Verdict(State.UNREACHABLE, ("box_down",))),
    (lambda c: c.box.state is State.LATE, lambda c: c.before),
    (lambda c: c.newest_event == "down", lambda _: Verdict(State.BLIND, ("camera_down",))),
    (lambda c: c.newest_event == "up", lambda c: _seen(c.facts)),
    (lambda c: c.unheard or c.settling, lambda c: c.before),
    (lambda c: c.facts.main == "unavailable", lambda _: Verdict(State.BLIND, ("stream_unavailable",))),
    (lambda c: c.no_frames, lambda _: Verdict(State.BLIND, ("no_frames",))),
    (lambda c: c.facts.main == "connecting" and c.before.state is State.BLIND, lambda c: c.before),
    (lambda c: True, lambda c: _seen(c.facts)),
)


def camera_state(
    facts: CameraFacts,
    before: Verdict,
    box: Verdict,
    listening_since_ms: int,
    limits: Limits = DEFAULT_LIMITS,
) -> Verdict:
    """The state of a camera, given its state so far and the state of its box."""
    return _first(_CAMERA_TABLE, _Camera(facts, before, box, limits, listening_since_ms))


def _seen(facts: CameraFacts) -> Verdict:
    """A camera that shows a picture: UP, or DEGRADED with what is wrong with it."""
    reasons = tuple(f"tamper:{kind}" for kind in sorted(facts.tampers))
    if facts.demoted:
        reasons += ("demoted",)
    if facts.sub == "unavailable":
        reasons += ("sub_unavailable",)
    if facts.flaps >= FLAPS:
        reasons += ("flapping",)
    return Verdict(State.DEGRADED, reasons) if reasons else Verdict(State.UP)


# --- both --------------------------------------------------------------------------------------------------------


def _first(table: tuple[tuple[Callable[[_View], bool], Callable[[_View], Verdict]], ...], view: _View) -> Verdict:
    return next(verdict(view) for holds, verdict in table if holds(view))


def _below(share: float | None, limit: float) -> bool:
    return share is not None and share < limit
