"""The loop that looks at episodes with the rules and writes incidents and alerts.

One step is one transaction: claim the episodes, group them, enqueue alerts, tell the live feed. A crash undoes the
whole step, and it is done again. An episode is looked at again whenever more is known of it.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import tzinfo

from collector.alerts.bell import Bell, Ear
from collector.alerts.calendar import PLAIN, Calendar
from collector.alerts.escalation import Escalation
from collector.alerts.incidents import (
    Grouping,
    Heard,
    Incident,
    IncidentState,
    Ring,
    Silent,
    Word,
    decide,
    joins,
    lateness_ms,
)
from collector.alerts.mutes import Mute, muted_by
from collector.alerts.rules import (
    DEFAULT_RULES,
    SEVERITY_RANK,
    EpisodeFacts,
    Hours,
    LocalTime,
    Rule,
    Severity,
    local_time_at,
    severity_of,
)
from collector.alerts.stored_rules import from_json
from collector.store import alerts as alert_store
from collector.store import incidents as store
from collector.store import mutes as mute_store
from collector.store.database import Connection, Database
from collector.store.errors import StoreUnavailable
from collector.store.rules import RuleRow, list_rules
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.ids import uuid7

log = get_logger(__name__)
POLL_S = 0.25
HOUR_S = 3600.0
BATCH = 50  # a step of a backlog holds the writer for less than a tenth of a second


class RulesLoop:
    """Looks at every episode that changed; `alerted` is rung when there is something to deliver."""

    def __init__(
        self,
        database: Database,
        rules: tuple[Rule, ...],
        grouping: Grouping,
        zone: tzinfo,
        alerted: Bell,
        channels: Collection[str] | None = None,
        calendar: Calendar = PLAIN,
    ) -> None:
        self._database = database
        self._configured = rules
        self._calendar = calendar
        self._grouping = grouping
        self._zone = zone
        self._alerted = alerted
        self._channels = channels
        self._made: list[RuleRow] = []
        self._escalated_ms = 0
        self._take(rules)

    def _take(self, rules: tuple[Rule, ...]) -> None:
        self._rules = tuple(sorted(rules or DEFAULT_RULES, key=lambda rule: SEVERITY_RANK[rule.severity], reverse=True))
        self._memory_ms = round(max(HOUR_S, *(rule.cool_down_s for rule in self._rules)) * 1000)
        self._escalation = Escalation(self._database, self._rules, self._grouping.late_after_s, self._alerted)

    def _refresh(self, connection: Connection) -> None:
        """Rules that were made on the page hold beside those of the configuration, from the next episode on."""
        made = list_rules(connection)
        if made != self._made:
            self._made = made
            read = (from_json(row.name, row.body, self._channels, self._calendar) for row in made)
            self._take((*self._configured, *read))

    def run(self, pulse: Pulse, stop: Stop, clock: Clock, committed: Ear) -> None:
        """Step until asked to stop; wakes when ingest has committed, and four times a second."""
        backoff = Backoff()
        while not stop.is_set():
            pulse.beat()
            try:
                more = self.step(clock.wall_ms())
                self.escalate(clock.wall_ms())
            except StoreUnavailable as error:
                log.warning("rules wait for the database", error=str(error))
                stop.wait(backoff.next_s())
                continue
            backoff.reset()
            if not more:
                committed.wait(POLL_S)

    def escalate(self, now_ms: int) -> None:
        """At most once a second: tell others of what nobody takes."""
        if abs(now_ms - self._escalated_ms) >= 1_000:
            self._escalated_ms = now_ms
            with self._database.read() as connection:
                self._refresh(connection)
            self._escalation.step(now_ms)

    def step(self, now_ms: int) -> bool:
        """Look at what is due, at most BATCH episodes; True when it should be called again at once."""
        with self._database.read() as connection:
            if not store.episodes_are_due(connection):
                return False
        with self._database.write() as connection:
            self._refresh(connection)
            claimed = store.claim_episodes(connection, now_ms, BATCH)
            alerts = sum(self._look(connection, episode, now_ms) for episode in claimed)
        if alerts:
            self._alerted.ring()
        return len(claimed) == BATCH

    def _look(self, connection: Connection, episode: store.ClaimedEpisode, now_ms: int) -> int:
        """Group one episode and enqueue what its rules want told; the number of alerts enqueued."""
        facts = facts_of(episode)
        local = local_time_at(facts.moment_ms, self._zone)
        matching = [rule for rule in self._rules if rule.matches(facts, local)]
        store.lock_camera(connection, episode.camera)
        before = store.incident_of(connection, episode.id)
        mute = self._mute(connection, facts, local, now_ms) if matching else None
        if mute is not None:
            matching = []
            if before is None:
                mute_store.note_muted(connection, episode.id, mute.id, now_ms)
        if before is None and not matching:
            return 0
        late_ms = lateness_ms(facts, now_ms, self._grouping)
        known = self._near(connection, episode.camera, facts) if before is None else before
        if known is None:
            span = store.IncidentSpan(
                id=uuid7(now_ms, os.urandom(10)),
                start_ms=facts.moment_ms,
                last_ms=facts.moment_last_ms,
                state=IncidentState.NEW,
                severity=matching[0].severity,
                rule=matching[0].name,
            )
            store.open_incident(connection, span, episode.camera, late_ms, now_ms)
        else:
            span = grown(known, facts, matching)
            if span != known or before is None:
                store.grow_incident(connection, span, now_ms)
        if before is None:
            store.add_member(connection, span.id, episode.id, now_ms)
            mute_store.forget_muted(connection, episode.id)
        if span.state == IncidentState.CLOSED:
            return 0  # a person has closed it while the episode went on
        return self._alert(connection, episode, matching, span, is_new=known is None, late_ms=late_ms, now_ms=now_ms)

    def _mute(self, connection: Connection, facts: EpisodeFacts, local: LocalTime, now_ms: int) -> Mute | None:
        rows = mute_store.running_mutes(connection, f"{facts.box}/{facts.camera}", now_ms)
        return muted_by(map(mute_of, rows), facts, local, now_ms) if rows else None

    def _near(self, connection: Connection, camera: str, facts: EpisodeFacts) -> store.IncidentSpan | None:
        gap_ms = round(self._grouping.gap_s * 1000)
        spans = {
            span.id: span
            for span in store.incidents_near(
                connection, camera, facts.moment_ms - gap_ms, facts.moment_last_ms + gap_ms
            )
        }
        candidates = tuple(
            Incident(span.id, span.start_ms, span.last_ms, IncidentState(span.state)) for span in spans.values()
        )
        joined = joins(candidates, facts, self._grouping)
        return None if joined is None else spans[joined.id]

    def _alert(
        self,
        connection: Connection,
        episode: store.ClaimedEpisode,
        matching: list[Rule],
        span: store.IncidentSpan,
        *,
        is_new: bool,
        late_ms: int,
        now_ms: int,
    ) -> int:
        past = () if is_new else store.alerts_of_incident(connection, span.id)
        rung = _highest((each.channel, severity_of(each.severity)) for each in past if each.rings)
        told = _highest((each.channel, severity_of(each.severity)) for each in past)
        enqueued = 0
        for rule in matching:
            for channel in rule.channels:
                incident = Incident(span.id, span.start_ms, span.last_ms, IncidentState(span.state), rung, told)
                heard = self._heard(connection, episode.camera, channel, now_ms)
                word = decide(rule, channel, incident=incident, heard=heard, late_ms=late_ms, now_ms=now_ms)
                rings = isinstance(word, Ring)
                if not rings and not (isinstance(word, Silent) and word.tells):
                    continue
                told = {**told, channel: rule.severity}
                rung = {**rung, channel: rule.severity} if rings else rung
                alert = alert_store.NewAlert(
                    id=uuid7(now_ms, os.urandom(10)),
                    key=f"incident:{span.id}:{channel}:{rule.severity}:{'ring' if rings else 'late'}",
                    kind="incident",
                    channel=channel,
                    severity=rule.severity,
                    rings=rings,
                    created_ms=now_ms,
                    late_ms=late_ms,
                    incident=span.id,
                    episode=episode.id,
                    camera=episode.camera,
                )
                enqueued += alert_store.enqueue(connection, alert)
        return enqueued

    def _heard(self, connection: Connection, camera: str, channel: str, now_ms: int) -> Heard:
        past = alert_store.past_alerts(connection, camera, channel, now_ms - self._memory_ms)
        words = [(each.rings, Word(severity_of(each.severity), each.created_ms)) for each in past]
        return Heard(
            rang=next((word for rings, word in words if rings), None),
            told=next((word for _, word in words), None),
            in_an_hour=tuple(word for _, word in words if now_ms - word.at_ms < HOUR_S * 1000),
        )


def mute_of(row: mute_store.MuteRow) -> Mute:
    """The mute as rules see it."""
    hours = None
    if row.from_minute is not None and row.to_minute is not None:
        hours = Hours(row.from_minute, row.to_minute)
    return Mute(row.id, row.camera, row.zone, hours, row.start_ms, row.until_ms)


def facts_of(episode: store.ClaimedEpisode) -> EpisodeFacts:
    """The episode as rules see it."""
    return EpisodeFacts(
        id=episode.id,
        box=episode.box,
        camera=episode.camera.partition("/")[2],
        start_ms=episode.start_ms,
        last_ms=episode.last_ms,
        received_ms=episode.first_received_ms,
        zones=episode.zones,
        kind=episode.kind,
        score=episode.score,
        clock_set=episode.dated is not None or episode.clock != "unset",
        size=episode.size,
    )


def grown(span: store.IncidentSpan, facts: EpisodeFacts, matching: list[Rule]) -> store.IncidentSpan:
    """The incident with the episode in it; it takes the name of the most severe rule that spoke."""
    wider = replace(span, start_ms=min(span.start_ms, facts.moment_ms), last_ms=max(span.last_ms, facts.moment_last_ms))
    if matching and SEVERITY_RANK[matching[0].severity] > SEVERITY_RANK[severity_of(span.severity)]:
        return replace(wider, severity=matching[0].severity, rule=matching[0].name)
    return wider


def _highest(words: Iterable[tuple[str, Severity]]) -> Mapping[str, Severity]:
    highest: dict[str, Severity] = {}
    for channel, severity in words:
        if channel not in highest or SEVERITY_RANK[severity] > SEVERITY_RANK[highest[channel]]:
            highest[channel] = severity
    return highest
