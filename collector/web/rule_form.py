"""The form of an alert rule: what it says becomes a rule, and a rule what the form would have said. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from collector.alerts.calendar import Calendar, Moment, Sun
from collector.alerts.rules import Escalate, Hours, Rule, Severity
from collector.alerts.sky import SunEvent
from collector.alerts.stored_rules import SCREEN, as_json
from collector.web.formats import Formats

SEVERITIES: dict[str, Severity] = {"low": "low", "normal": "normal", "high": "high"}
_TAMPER = ("covered", "turned", "defocused", "black", "white", "frozen")
KINDS = ("motion", "tamper", *(f"tamper:{how}" for how in _TAMPER))
SUN: dict[str, SunEvent] = {"sunrise": "sunrise", "sunset": "sunset"}
WINDOWS = ("", "2")
"""Two windows of hours; the second one's fields end so."""
STEPS = ("", "2")
"""Two steps of escalation, likewise."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_NAMES = 50
MAX_SUN_MIN = 720
TELL = "tell:"


class Wrong(ValueError):
    """What is wrong with the form: a word of `rules_wrong`."""


def rule_of(
    form: Mapping[str, str],
    is_meant: Callable[[str], bool],
    *,
    may_mean_all: bool,
    channels: Collection[str],
    calendar: Calendar,
    formats: Formats,
) -> Rule:
    """What the form says. `is_meant` judges a camera's name or pattern; `channels` are configured. Raises Wrong."""
    name = " ".join(form.get("name", "").split())
    if not 1 <= len(name) <= 60:
        raise Wrong("name")
    cameras = _names(form.get("cameras", "").replace(",", " ").split())
    if not all(map(is_meant, cameras)) or not (cameras or may_mean_all):
        raise Wrong("cameras")
    zones = _names(each.strip() for each in form.get("zones", "").split(","))
    if any(len(zone) > 80 for zone in zones):
        raise Wrong("zones")
    told = [field.removeprefix(TELL) for field in form if field.startswith(TELL)]
    if not set(told) <= set(channels):
        raise Wrong("channel")
    score, size = _share(form.get("score", "")), _count(form, "size", 100, "size")
    dwell, calm = _count(form, "dwell", 3600, "size"), _count(form, "calm", 86_400, "calm", least=0)
    rings = _count(form, "rings", 1000, "calm")
    return Rule(
        name=name,
        cameras=cameras,
        zones=zones,
        kinds=(form["kind"],) if form.get("kind") in KINDS else (),
        hours=tuple(hours for end in WINDOWS for hours in _hours(form, end, calendar, formats)),
        min_score=score,
        min_size=None if size is None else size / 100,
        min_dwell_s=None if dwell is None else float(dwell),
        cool_down_s=Rule.cool_down_s if calm is None else float(calm),
        rings_an_hour=Rule.rings_an_hour if rings is None else rings,
        severity=SEVERITIES.get(form.get("severity", ""), "normal"),
        channels=(SCREEN, *(each for each in told if each != SCREEN)),
        escalate=tuple(step for end in STEPS for step in _step(form, end, channels)),
    )


def as_form(rule: Rule) -> dict[str, str]:
    """The rule as the form would have said it."""
    form = {
        "name": rule.name,
        "cameras": " ".join(rule.cameras),
        "zones": ", ".join(rule.zones),
        "kind": rule.kinds[0] if rule.kinds else "",
        "severity": rule.severity,
        "score": "" if rule.min_score is None else f"{rule.min_score:g}",
        "size": "" if rule.min_size is None else str(round(rule.min_size * 100)),
        "dwell": "" if rule.min_dwell_s is None else str(round(rule.min_dwell_s)),
        "calm": str(round(rule.cool_down_s)),
        "rings": str(rule.rings_an_hour),
    }
    form |= {f"{TELL}{channel}": "on" for channel in rule.channels if channel != SCREEN}
    for end, (start, until, weekdays, on_holidays) in zip(WINDOWS, as_json(rule)["hours"], strict=False):
        form |= _moment_as_form("from", end, start) | _moment_as_form("to", end, until)
        form |= {f"{DAYS[day]}{end}": "on" for day in weekdays if len(weekdays) < len(DAYS)}
        form |= {f"holiday{end}": "on"} if on_holidays else {}
    for end, step in zip(STEPS, rule.escalate, strict=False):
        form |= {f"escalate{end}": step.channels[0], f"after{end}": str(round(step.after_s / 60))}
    return form


def _names(given: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(each for each in given if each))
    if len(names) > MAX_NAMES:
        raise Wrong("many")
    return names


def _hours(form: Mapping[str, str], end: str, calendar: Calendar, formats: Formats) -> Sequence[Hours]:
    days = [number for number, day in enumerate(DAYS) if form.get(f"{day}{end}")]
    on_holidays = bool(form.get(f"holiday{end}"))
    bounds = [_moment(form, f"{bound}{end}", bound, calendar, formats) for bound in ("from", "to")]
    if bounds == [0, 1440] and not days and not on_holidays:
        return ()
    if on_holidays and not calendar.holidays:
        raise Wrong("holidays")
    start, until = bounds
    if start in (until, 1440):
        raise Wrong("hours")
    return (calendar.hours(start, until, days, on_holidays=on_holidays),)


def _moment(form: Mapping[str, str], field: str, bound: str, calendar: Calendar, formats: Formats) -> Moment:
    text, sun = form.get(field, "").strip(), SUN.get(form.get(field.replace(bound, f"{bound}_sun", 1), ""))
    if sun is None:
        minute = formats.minute_of_day(text or {"from": "0:00", "to": "24:00"}[bound])
        if minute is None:
            raise Wrong("hours")
        return minute
    if calendar.sky is None:
        raise Wrong("sun")
    minutes = text.replace("−", "-").removeprefix("+") or "0"
    digits = minutes.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 3 and int(digits) <= MAX_SUN_MIN):
        raise Wrong("sun_minutes")
    return Sun(sun, int(minutes))


def _moment_as_form(bound: str, end: str, kept: int | list[str | int]) -> dict[str, str]:
    if isinstance(kept, int):
        return {f"{bound}{end}": f"{kept // 60:02d}:{kept % 60:02d}"}
    event, minutes = kept
    return {f"{bound}_sun{end}": str(event), f"{bound}{end}": str(minutes) if minutes else ""}


def _step(form: Mapping[str, str], end: str, channels: Collection[str]) -> Sequence[Escalate]:
    channel = form.get(f"escalate{end}", "")
    if not channel:
        return ()
    if channel not in channels:
        raise Wrong("channel")
    after = _count(form, f"after{end}", 1440, "after")
    if after is None:
        raise Wrong("after")
    return (Escalate(after * 60.0, (channel,)),)


def _count(form: Mapping[str, str], field: str, most: int, wrong: str, least: int = 1) -> int | None:
    """A whole number from `least` to `most`, or nothing."""
    text = form.get(field, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and least <= int(text) <= most):
        raise Wrong(wrong)
    return int(text)


def _share(text: str) -> float | None:
    """`0,5` or `0.5`: above 0, at most 1; or nothing."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    whole, _, part = text.partition(".")
    if not (whole in ("0", "1") and len(part) <= 3 and ((part.isascii() and part.isdecimal()) or not part)):
        raise Wrong("score")
    if not 0 < float(text) <= 1:
        raise Wrong("score")
    return float(text)
