"""What people do to an incident after it was acknowledged, or at once: outcome, hand-over, close, reopen."""

from starlette.responses import JSONResponse, RedirectResponse, Response

from collector.alerts.incidents import Action, IncidentState, Outcome, after
from collector.store import desk as rows
from collector.store import users
from collector.store.database import Connection
from collector.store.incident_life import Step, take_step
from collector.store.reach import Place
from collector.web import shapes
from collector.web.access import is_own_path
from collector.web.api import incident_of, query_of
from collector.web.auditing import note
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.rights import rights_of

MAX_NOTE = 200
STEPS = {**{outcome.value: Action.DECIDE for outcome in Outcome}, "close": Action.CLOSE, "reopen": Action.REOPEN,
         "hand_over": Action.HAND_OVER}  # fmt: skip
"""What a button says (`do`), as an action; an outcome is a word of its own."""


def step_json(desk: Desk, asked: Asked) -> Response:
    """Take the step; the incident as it stands afterwards. 409 when it does not exist from this state."""
    query_of(asked)
    return JSONResponse(shapes.incident_json(_step(desk, asked)))


def step_page(desk: Desk, asked: Asked) -> Response:
    """The same for a form without scripts: back to the page it stood on."""
    query_of(asked)
    found = _step(desk, asked)
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else f"/incidents/{found.id}", 303)


def colleagues(connection: Connection, incident: rows.Incident) -> list[str]:
    """Who could own the incident: whoever may acknowledge where it happened."""
    place = Place(incident.commune, incident.site)
    return [
        user.name
        for user in users.all_users(connection)
        if user.disabled_ms is None
        and user.standing.reach.covers(place)
        and "acknowledge" in rights_of(user.role, user.standing.also, user.standing.without)
    ]


def _step(desk: Desk, asked: Asked) -> rows.Incident:
    before = incident_of(desk, asked)
    word = asked.form.get("do", "")
    action = STEPS.get(word)
    if action is None:
        raise Problem(400, f"do: {word[:40]!r} is unknown.", where="do", hint=f"Give {' or '.join(STEPS)}.")
    text = " ".join(asked.form.get("note", "").split())[:MAX_NOTE]
    with desk.database.write() as connection:
        step = _planned(connection, asked, before, word, action, text)
        if not take_step(connection, before.id, step, asked.now_ms):
            raise _too_late(before)
        about = {"thing": "incident", "ref": before.id, "incident": before.id, "camera": before.camera}
        detail = {"note": step.note} if step.note else {}
        note(connection, asked, action.value, commune=before.commune, detail=detail, **about)
        return rows.find_incident(connection, before.id) or before


def _planned(connection: Connection, asked: Asked, before: rows.Incident, word: str, action: Action, text: str) -> Step:
    decided = Outcome(word) if action is Action.DECIDE else None
    standing = None if before.outcome is None else Outcome(before.outcome)
    state = after(IncidentState(before.state), action, decided or standing)
    if state is None:
        raise _too_late(before)
    owner, told = before.owner or asked.who.name, text
    outcome = decided or standing
    if action is Action.DECIDE:
        told = f"{word}: {text}" if text else word
    elif action is Action.REOPEN:
        owner, outcome = asked.who.name, None
    elif action is Action.HAND_OVER:
        owner = users.plain_name(asked.form.get("to", ""))
        if owner not in colleagues(connection, before):
            raise Problem(400, f"to: {owner[:60]!r} cannot take it.", where="to", hint="Choose somebody on duty here.")
        told = f"{owner}: {text}" if text else owner
    return Step(
        before=before.state,
        after=state,
        who=asked.who.name,
        action=action.value,
        note=told or None,
        owner=owner,
        outcome=outcome,
        acknowledged_ms=before.acknowledged_ms or asked.now_ms,
        closed_ms=asked.now_ms if state is IncidentState.CLOSED else None,
    )


def _too_late(before: rows.Incident) -> Problem:
    return Problem(
        409, f"The incident is {before.state}: that step does not exist now.", where="do", hint="Load it again."
    )
