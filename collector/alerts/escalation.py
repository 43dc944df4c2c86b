"""New incidents that nobody takes are told to the next officer, then to the post, as their rule says.

A step is due when it has waited `after_s` since the incident was written; it is enqueued once (by its key), whatever
crashes. One that is due late, after the collector was down, is told without a sound. Late incidents are not escalated.
"""

import os
from collections.abc import Iterable

from collector.alerts.bell import Bell
from collector.alerts.rules import Rule
from collector.store import alerts as alert_store
from collector.store import incidents as store
from collector.store.database import Connection, Database
from vonggac.wire.ids import uuid7

FORGOTTEN_MS = 86_400_000
"""An incident that is older has been seen by daylight: nobody is woken for it."""


class Escalation:
    """Looks for what waits too long. A step that finds nothing only reads."""

    def __init__(self, database: Database, rules: Iterable[Rule], late_after_s: float, alerted: Bell) -> None:
        self._database = database
        self._rules = {rule.name: rule for rule in rules if rule.escalate}
        self._late_ms = round(late_after_s * 1000)
        self._alerted = alerted

    def step(self, now_ms: int) -> None:
        """Enqueue every step that is due now."""
        if not self._rules:
            return
        with self._database.read() as connection:
            waiting = store.unattended(connection, self._rules, now_ms - FORGOTTEN_MS)
            due = [each for each in waiting if self._due(each, now_ms)]
        if not due:
            return
        with self._database.write() as connection:
            told = sum(self._tell(connection, each, now_ms) for each in due)
        if told:
            self._alerted.ring()

    def _due(self, incident: store.Unattended, now_ms: int) -> list[int]:
        """The numbers of the rule's steps that are due and were not told."""
        steps = self._rules[incident.rule].escalate
        waited_ms = now_ms - incident.created_ms
        return [
            number
            for number, step in enumerate(steps)
            if waited_ms >= step.after_s * 1000 and not incident.told.issuperset(_keys(incident, number, step.channels))
        ]

    def _tell(self, connection: Connection, incident: store.Unattended, now_ms: int) -> int:
        if not store.is_new(connection, incident.id):
            return 0  # somebody took it since we read
        enqueued = 0
        for number in self._due(incident, now_ms):
            step = self._rules[incident.rule].escalate[number]
            late_ms = now_ms - incident.created_ms - round(step.after_s * 1000)
            is_late = late_ms > self._late_ms
            for channel, key in zip(step.channels, _keys(incident, number, step.channels), strict=True):
                alert = alert_store.NewAlert(
                    id=uuid7(now_ms, os.urandom(10)),
                    key=key,
                    kind="escalation",
                    channel=channel,
                    severity=incident.severity,
                    rings=not is_late,
                    created_ms=now_ms,
                    late_ms=late_ms if is_late else 0,
                    incident=incident.id,
                    episode=incident.episode,
                    camera=incident.camera,
                )
                enqueued += alert_store.enqueue(connection, alert)
            store.note_step(connection, incident.id, "escalate", ", ".join(step.channels), now_ms)
        return enqueued


def _keys(incident: store.Unattended, number: int, channels: Iterable[str]) -> list[str]:
    return [f"escalation:{incident.id}:{number}:{channel}" for channel in channels]
