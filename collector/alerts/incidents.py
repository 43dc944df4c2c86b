"""From episodes to incidents: what grows, what rings, what stays quiet, and the life of an incident. PURE.

Rules, each with a test:
1. Episodes of one camera whose times lie within `gap_s` of an incident join it; every matching episode is in exactly
   one incident. A closed incident takes no more, and none grows longer than `longest_s`.
2. Within one incident a channel rings once; it rings again only for a rule of higher severity.
3. Cool-down belongs to one camera on one channel, never to all: camera B rings though camera A just did. Only a higher
   severity breaks it.
4. What is late (`late_after_s` since its last motion) never rings: it is told quietly, with how late it is, and after
   an outage not more often than the cool-down.
5. A channel hears of one camera at most `rings_an_hour` times in an hour, however often its incidents are closed and
   begin anew; only what is more severe than those is still told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from collector.alerts.rules import SEVERITY_RANK, EpisodeFacts, Rule, Severity


class IncidentState(StrEnum):
    """Where an incident stands in its life."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Action(StrEnum):
    """What a person does to an incident."""

    ACKNOWLEDGE = "acknowledge"  # "mine": who and when
    HAND_OVER = "hand_over"  # another owner
    DECIDE = "decide"  # an outcome: real, false, known person, forwarded
    CLOSE = "close"  # only once there is an outcome
    REOPEN = "reopen"  # who reopens it owns it


LIFE: Mapping[tuple[IncidentState, Action], IncidentState] = {
    (IncidentState.NEW, Action.ACKNOWLEDGE): IncidentState.ACKNOWLEDGED,
    (IncidentState.NEW, Action.DECIDE): IncidentState.ACKNOWLEDGED,  # who decides owns it
    (IncidentState.ACKNOWLEDGED, Action.HAND_OVER): IncidentState.ACKNOWLEDGED,
    (IncidentState.ACKNOWLEDGED, Action.DECIDE): IncidentState.ACKNOWLEDGED,
    (IncidentState.ACKNOWLEDGED, Action.CLOSE): IncidentState.CLOSED,
    (IncidentState.CLOSED, Action.REOPEN): IncidentState.ACKNOWLEDGED,
}
"""Every step that exists. A second acknowledgement is none: the first to press owns it."""


class Outcome(StrEnum):
    """What an incident turned out to be."""

    REAL = "real"
    FALSE = "false"
    KNOWN = "known"
    FORWARDED = "forwarded"


ENDING = frozenset({Outcome.FALSE, Outcome.KNOWN})
"""Outcomes after which nothing is left to do: to say so closes the incident."""


def after(state: IncidentState, action: Action, outcome: Outcome | None = None) -> IncidentState | None:
    """The state after the action; None when that step does not exist. `outcome` is the one decided, or standing."""
    if action is Action.CLOSE and outcome is None:
        return None
    if action is Action.DECIDE and (state, action) in LIFE and outcome in ENDING:
        return IncidentState.CLOSED
    return LIFE.get((state, action))


@dataclass(frozen=True)
class Grouping:
    """When episodes are one incident, and when one is late."""

    gap_s: float = 60.0
    longest_s: float = 3600.0
    late_after_s: float = 300.0


@dataclass(frozen=True)
class Incident:
    """An incident of one camera as grouping sees it. `rung`, `told`: up to which severity each channel has been."""

    id: str
    first_ms: int
    last_ms: int
    state: IncidentState = IncidentState.NEW
    rung: Mapping[str, Severity] = field(default_factory=dict)
    told: Mapping[str, Severity] = field(default_factory=dict)


@dataclass(frozen=True)
class Word:
    """An alert that a channel got: how severe, and when by the collector's clock."""

    severity: Severity
    at_ms: int


@dataclass(frozen=True)
class Heard:
    """What a channel last heard of a camera: the last alert that rang, the last of any sort, all of the last hour."""

    rang: Word | None = None
    told: Word | None = None
    in_an_hour: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Ring:
    """Alert at once, with a sound."""


@dataclass(frozen=True)
class Grow:
    """The channel knows this incident: it grows without another alert."""


@dataclass(frozen=True)
class Silent:
    """No sound. `late`: still told, quietly, with `late_ms`. Else it stands on the list, nobody is told."""

    reason: Literal["late", "cool_down", "storm"]
    late_ms: int = 0

    @property
    def tells(self) -> bool:
        """True when an alert without a sound goes out."""
        return self.reason == "late"


Decision = Ring | Grow | Silent


def joins(incidents: tuple[Incident, ...], episode: EpisodeFacts, grouping: Grouping) -> Incident | None:
    """The incident of the episode's camera that the episode belongs to; the latest if several would do."""
    gap_ms = grouping.gap_s * 1000
    fitting = [
        incident
        for incident in incidents
        if incident.state is not IncidentState.CLOSED
        and episode.moment_ms <= incident.last_ms + gap_ms
        and episode.moment_last_ms >= incident.first_ms - gap_ms
        and max(incident.last_ms, episode.moment_last_ms) - min(incident.first_ms, episode.moment_ms)
        <= grouping.longest_s * 1000
    ]
    return max(fitting, key=lambda incident: (incident.last_ms, incident.id), default=None)


def lateness_ms(episode: EpisodeFacts, now_ms: int, grouping: Grouping) -> int:
    """How long ago its last motion was, if that makes it late; otherwise 0. A clock that runs ahead is not late."""
    age_ms = now_ms - episode.moment_last_ms
    return age_ms if age_ms > grouping.late_after_s * 1000 else 0


def decide(
    rule: Rule,
    channel: str,
    *,
    incident: Incident | None,
    heard: Heard,
    late_ms: int,
    now_ms: int,
) -> Decision:
    """What `channel` gets to hear of an episode that `rule` matched.

    `incident` is the one it joins (None: it opens one), `heard` what the channel last heard of this camera.
    """
    rank = SEVERITY_RANK[rule.severity]
    known = {} if incident is None else (incident.told if late_ms else incident.rung)
    if channel in known and SEVERITY_RANK[known[channel]] >= rank:
        return Grow()
    last = heard.told if late_ms else heard.rang
    cooling = last is not None and 0 <= now_ms - last.at_ms < rule.cool_down_s * 1000
    if last is not None and cooling and SEVERITY_RANK[last.severity] >= rank:
        return Silent("cool_down")
    if sum(SEVERITY_RANK[word.severity] >= rank for word in heard.in_an_hour) >= rule.rings_an_hour:
        return Silent("storm")
    return Silent("late", late_ms) if late_ms else Ring()
