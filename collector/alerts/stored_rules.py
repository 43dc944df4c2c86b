"""Alert rules as the database keeps those that were made on the page. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from collector.alerts.rules import ALL_WEEK, Escalate, Hours, Rule, severity_of

SCREEN = "screen"


def as_json(rule: Rule) -> dict[str, Any]:
    """All of the rule that the page can say but its name: hours go by the clock there."""
    return {
        "cameras": list(rule.cameras),
        "zones": list(rule.zones),
        "kinds": list(rule.kinds),
        "hours": [[each.start_minute, each.end_minute, sorted(each.weekdays)] for each in rule.hours],
        "min_size": rule.min_size,
        "min_dwell_s": rule.min_dwell_s,
        "severity": rule.severity,
        "channels": list(rule.channels),
        "escalate": [[step.after_s, list(step.channels)] for step in rule.escalate],
    }


def from_json(name: str, body: Mapping[str, Any], channels: Collection[str] | None = None) -> Rule:
    """The rule; of its channels those that are (still) configured, the screen when none is. None: all are."""

    def known(names: list[str]) -> tuple[str, ...]:
        return tuple(each for each in names if channels is None or each in channels or each == SCREEN)

    steps = [Escalate(float(after_s), known(names)) for after_s, names in body["escalate"]]
    return Rule(
        name=name,
        cameras=tuple(body["cameras"]),
        zones=tuple(body["zones"]),
        kinds=tuple(body["kinds"]),
        hours=tuple(Hours(start, end, frozenset(days) or ALL_WEEK) for start, end, days in body["hours"]),
        min_size=body["min_size"],
        min_dwell_s=body["min_dwell_s"],
        severity=severity_of(body["severity"]),
        channels=known(body["channels"]) or (SCREEN,),
        escalate=tuple(step for step in steps if step.channels),
    )
