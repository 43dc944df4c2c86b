"""The page of alert rules: those of the configuration to read, those made here to make, change and remove.

A rule made here holds from the next episode on, beside those of the configuration. Whoever reaches some communes only
makes rules for boxes there, each named whole: a pattern could come to mean another commune's box tomorrow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NoReturn

from starlette.responses import RedirectResponse, Response

from collector.alerts.rules import DEFAULT_RULES, Rule
from collector.alerts.stored_rules import SCREEN, as_json, from_json
from collector.store import desk as rows
from collector.store import rules as store
from collector.store.database import Connection
from collector.store.overview import CameraName, camera_names
from collector.store.reach import EVERYWHERE
from collector.store.rules import RuleRow
from collector.web.api import query_of
from collector.web.auditing import note, note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import not_found
from collector.web.query import require_uuid
from collector.web.render import render
from collector.web.rule_form import DAYS, KINDS, STEPS, WINDOWS, Wrong, as_form, rule_of
from vonggac.daemon.clock import new_id


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A rule as the reader may see it: `cameras` are those within reach that it speaks of, None when it names none."""

    rule: Rule
    cameras: Sequence[str] | None
    row: RuleRow | None = None
    may_change: bool = False


def page(desk: Desk, asked: Asked) -> Response:
    """All rules, and a form; `edit` fills the form with one that was made here."""
    edit = query_of(asked, "edit").text("edit")
    return _page(desk, asked, edit)


def change(desk: Desk, asked: Asked) -> Response:
    """Make a rule, or change the one that `id` names."""
    query_of(asked)
    wanted = asked.form.get("id", "")
    with desk.database.read() as connection:
        names, kept = camera_names(connection), store.list_rules(connection)
    row = next((each for each in kept if each.id == wanted), None)
    if wanted and (row is None or not _may_change(asked, row, names)):
        _refused(desk, asked, wanted, row, names)
    made = _rule_of(desk, asked, names)
    if isinstance(made, str):
        return _page(desk, asked, None, wrong=made, status=400)
    rule = RuleRow(
        id=wanted if row is not None else new_id(desk.clock),
        name=made.name,
        body=as_json(made),
        changed_ms=asked.now_ms,
        who=asked.who.name,
    )
    with desk.database.write() as connection:
        is_kept = made.name not in _configured_names(desk) and store.keep_rule(connection, rule)
        if is_kept:
            _note(connection, asked, "changed" if row else "made", rule)
    if not is_kept:
        return _page(desk, asked, None, wrong="name_taken", status=400)
    return RedirectResponse("/rules", 303)


def remove(desk: Desk, asked: Asked) -> Response:
    """Remove a rule that was made here."""
    query_of(asked)
    name = require_uuid(asked.request.path_params["id"], "rule")
    with desk.database.read() as connection:
        names, kept = camera_names(connection), store.list_rules(connection)
    row = next((each for each in kept if each.id == name), None)
    if row is None or not _may_change(asked, row, names):
        _refused(desk, asked, name, row, names)
    with desk.database.write() as connection:
        if store.remove_rule(connection, name):
            _note(connection, asked, "removed", row)
    return RedirectResponse("/rules", 303)


def _page(desk: Desk, asked: Asked, edit: str | None, wrong: str | None = None, status: int = 200) -> Response:
    with desk.database.read() as connection:
        names, kept = camera_names(connection), store.list_rules(connection)
        waiting = rows.waiting_in(connection, asked.who.reach)
    near = [each.id for each in names if asked.who.reach.covers(each.place)]
    fixed = desk.settings.rules or (() if kept else DEFAULT_RULES)
    made = [
        Shown(rule=rule, cameras=_cameras_of(rule, near), row=row, may_change=_may_change(asked, row, names))
        for row in kept
        for rule in (from_json(row.name, row.body, desk.settings.channels, desk.settings.calendar),)
    ]
    editing = next((each for each in made if each.row is not None and each.row.id == edit and each.may_change), None)
    if edit is not None and editing is None:
        raise not_found("rule", edit)
    return render(
        desk,
        asked,
        "rules.html",
        status,
        fixed=[Shown(rule=rule, cameras=_cameras_of(rule, near)) for rule in fixed],
        made=[each for each in made if each.cameras is None or each.cameras],
        is_default=fixed == DEFAULT_RULES,
        editing=editing,
        given=asked.form if wrong else _given(editing),
        wrong=wrong,
        channels=[each for each in desk.settings.channels if each != SCREEN],
        has_sky=desk.settings.calendar.sky is not None,
        has_holidays=bool(desk.settings.calendar.holidays),
        windows=WINDOWS,
        steps=STEPS,
        days=DAYS,
        kinds=KINDS,
        shows_patterns=asked.who.reach == EVERYWHERE,
        waiting=waiting,
    )


def _rule_of(desk: Desk, asked: Asked, names: Sequence[CameraName]) -> Rule | str:
    """What the form says, or the word for what is wrong with it."""
    try:
        return rule_of(
            asked.form,
            lambda pattern: _is_meant(asked, pattern, names),
            may_mean_all=asked.who.reach == EVERYWHERE,
            channels=desk.settings.channels,
            calendar=desk.settings.calendar,
            formats=asked.formats,
        )
    except Wrong as wrong:
        return str(wrong)


def _is_meant(asked: Asked, pattern: str, names: Iterable[CameraName]) -> bool:
    """A pattern BOX/CAMERA that means a camera, and none beyond reach, neither now nor later."""
    box, slash, camera = pattern.partition("/")
    if not slash or "/" in camera or len(pattern) > 120 or any(char in pattern for char in "[]\0"):
        return False
    meant = [each for each in names if _covers(pattern, each.id)]
    if asked.who.reach == EVERYWHERE:
        return bool(meant)
    is_plain = box == box.strip("*?") and not set(box) & set("*?")
    return is_plain and bool(meant) and all(asked.who.reach.covers(each.place) for each in meant)


def _may_change(asked: Asked, row: RuleRow, names: Sequence[CameraName]) -> bool:
    if not asked.who.may("configure"):
        return False
    patterns = row.body["cameras"]
    if asked.who.reach == EVERYWHERE:
        return True
    return bool(patterns) and all(_is_meant(asked, pattern, names) for pattern in patterns)


def _covers(pattern: str, camera: str) -> bool:
    return all(map(fnmatchcase, camera.split("/"), pattern.split("/")))


def _cameras_of(rule: Rule, near: Sequence[str]) -> list[str] | None:
    if not rule.cameras:
        return None
    return [camera for camera in near if any(_covers(pattern, camera) for pattern in rule.cameras)]


def _given(editing: Shown | None) -> Mapping[str, str]:
    """What the form begins with."""
    if editing is None or editing.row is None:
        return {}
    return {"id": editing.row.id, **as_form(editing.rule)}


def _configured_names(desk: Desk) -> set[str]:
    return {rule.name for rule in (*desk.settings.rules, *DEFAULT_RULES)}


def _note(connection: Connection, asked: Asked, what: str, rule: RuleRow) -> None:
    detail: dict[str, str | int | None] = {"rule": what, "name": rule.name}
    for name in ("cameras", "zones", "kinds", "channels"):
        if rule.body[name]:
            detail[name] = ", ".join(rule.body[name])[:200]
    note(connection, asked, "configure", thing="rule", ref=rule.id, detail=detail)


def _refused(desk: Desk, asked: Asked, name: str, row: RuleRow | None, names: Iterable[CameraName]) -> NoReturn:
    patterns = () if row is None else row.body["cameras"]
    communes = [each.commune for each in names if any(_covers(pattern, each.id) for pattern in patterns)]
    note_view(desk, asked, "refused", thing="rule", ref=name[:80], commune=next(iter(communes), None))
    raise not_found("rule", name)
