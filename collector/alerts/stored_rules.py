"""Alert rules as the database keeps those that were made on the page. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from collector.alerts.calendar import PLAIN, Calendar, Moment, Sun
from collector.alerts.rules import Escalate, Hours, Rule, SunTime, severity_of

SCREEN = "screen"
_LATER = {"min_score": None, "cool_down_s": Rule.cool_down_s, "rings_an_hour": Rule.rings_an_hour}
"""What rules of earlier versions do not say."""


def as_json(rule: Rule) -> dict[str, Any]:
    """All of the rule but its name. Hours: [from, to, weekdays, on holidays], a time by the sun [event, minutes]."""
    return {
        "cameras": list(rule.cameras),
        "zones": list(rule.zones),
        "kinds": list(rule.kinds),
        "hours": [_hours_as_json(each) for each in rule.hours],
        "min_score": rule.min_score,
        "min_size": rule.min_size,
        "min_dwell_s": rule.min_dwell_s,
        "cool_down_s": rule.cool_down_s,
        "rings_an_hour": rule.rings_an_hour,
        "severity": rule.severity,
        "channels": list(rule.channels),
        "escalate": [[step.after_s, list(step.channels)] for step in rule.escalate],
    }


def from_json(
    name: str, body: Mapping[str, Any], channels: Collection[str] | None = None, calendar: Calendar = PLAIN
) -> Rule:
    """The rule; of its channels those that are (still) configured, the screen when none is. None: all are."""

    def known(names: list[str]) -> tuple[str, ...]:
        return tuple(each for each in names if channels is None or each in channels or each == SCREEN)

    body = _LATER | dict(body)
    steps = [Escalate(float(after_s), known(names)) for after_s, names in body["escalate"]]
    return Rule(
        name=name,
        cameras=tuple(body["cameras"]),
        zones=tuple(body["zones"]),
        kinds=tuple(body["kinds"]),
        hours=tuple(_hours_of(each, calendar) for each in body["hours"]),
        min_score=body["min_score"],
        min_size=body["min_size"],
        min_dwell_s=body["min_dwell_s"],
        cool_down_s=body["cool_down_s"],
        rings_an_hour=body["rings_an_hour"],
        severity=severity_of(body["severity"]),
        channels=known(body["channels"]) or (SCREEN,),
        escalate=tuple(step for step in steps if step.channels),
    )


def _hours_as_json(hours: Hours) -> list[Any]:
    start, end = _as_json(hours.start_minute, hours.start_sun), _as_json(hours.end_minute, hours.end_sun)
    return [start, end, sorted(hours.weekdays), bool(hours.holidays)]


def _as_json(minute: int, sun: SunTime | None) -> int | list[str | int]:
    return minute if sun is None else [sun.event, sun.after_min]


def _hours_of(kept: list[Any], calendar: Calendar) -> Hours:
    start, end, weekdays, *later = kept
    return calendar.hours(_moment(start), _moment(end), weekdays, on_holidays=bool(later and later[0]))


def _moment(kept: Any) -> Moment:
    return kept if isinstance(kept, int) else Sun(*kept)
