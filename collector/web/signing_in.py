"""Signing in and out: throttled, the same answer for a wrong name and a wrong password, a fresh session each time."""

import hmac
import secrets
from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from collector.store import users
from collector.web.access import LANGUAGE_COOKIE, is_own_path, session_cookie
from collector.web.auditing import address_of, note, note_view
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.render import render
from collector.web.rights import Identity
from collector.web.throttle import FREE_BY_ADDRESS, FREE_BY_NAME, wait_s
from collector.web.wording import LANGUAGES
from vonggac.daemon.logs import get_logger

FORM_COOKIE = "vg_form"
MAX_NAME = 80

_log = get_logger(__name__)


def login_page(desk: Desk, asked: Asked) -> Response:
    """The form; whoever is signed in already goes on."""
    if asked.identity is not None:
        return RedirectResponse(_next(asked.request.query_params.get("next")), 303)
    return _form(desk, asked, 200, None)


def login(desk: Desk, asked: Asked) -> Response:
    """Name and password to a session."""
    given, kept = asked.form.get("form", ""), asked.request.cookies.get(FORM_COOKIE, "")
    if not kept or not hmac.compare_digest(given.encode("utf-8", "replace"), kept.encode("utf-8", "replace")):
        return _form(desk, asked, 403, asked.words("login.stale"))
    name = users.plain_name(asked.form.get("name", "")[:MAX_NAME])
    address = address_of(asked)
    seconds, slowed = _claim_try(desk, asked, name, address)
    if seconds:
        _log.warning("login refused until later", name=name, address=address, wait_s=seconds)
        note_view(desk, asked, "sign_in_slowed", who=slowed, thing="address", ref=address)
        page = _form(desk, asked, 429, asked.words("login.wait", span=asked.formats.span(seconds * 1000)))
        page.headers["retry-after"] = str(seconds)
        return page
    with desk.database.read() as connection:
        user = users.find_user(connection, name)
    encoded = None if user is None or user.disabled_ms is not None else user.password_hash
    if not desk.passwords.fits(encoded, asked.form.get("password", "")) or user is None:
        _log.warning("login failed", name=name, address=address)
        with desk.database.write() as connection:
            note(connection, asked, "sign_in_failed", who=name or "?")
        return _form(desk, asked, 401, asked.words("login.wrong"))
    secret = secrets.token_urlsafe(32)
    longest_ms = desk.settings.session_longest_s * 1000
    with desk.database.write() as connection:
        users.forget_failures(connection, name)
        if asked.identity is not None and asked.identity.session is not None:
            users.end_session(connection, asked.identity.session)
        users.add_session(connection, secret, name, secrets.token_urlsafe(32), asked.now_ms, asked.now_ms + longest_ms)
        came_in = Identity(name=name, role=user.role, by="session")  # its rights come with its first request
        note(connection, replace(asked, identity=came_in), "sign_in")
    _log.info("signed in", name=name, role=user.role, address=address)
    answer = RedirectResponse(_next(asked.form.get("next")), 303)
    answer.set_cookie(
        session_cookie(desk),
        secret,
        max_age=desk.settings.session_longest_s,
        path="/",
        secure=desk.settings.secure,
        httponly=True,
        samesite="strict",
    )
    answer.delete_cookie(FORM_COOKIE, path="/login")
    return answer


def logout(desk: Desk, asked: Asked) -> Response:
    """End this session."""
    if asked.who.session is not None:
        with desk.database.write() as connection:
            users.end_session(connection, asked.who.session)
            note(connection, asked, "sign_out")
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(session_cookie(desk), path="/", secure=desk.settings.secure, httponly=True, samesite="strict")
    answer.headers["clear-site-data"] = '"cache"'
    return answer


def language(desk: Desk, asked: Asked) -> Response:
    """Vietnamese or English, kept in a cookie for a year."""
    chosen = asked.form.get("language", "")
    if chosen not in LANGUAGES:
        raise Problem(400, "language: is unknown.", where="language", hint=f"Give {' or '.join(LANGUAGES)}.")
    answer = RedirectResponse(_next(asked.form.get("next")), 303)
    answer.set_cookie(
        LANGUAGE_COOKIE, chosen, max_age=365 * 86400, path="/", secure=desk.settings.secure, samesite="lax"
    )
    return answer


def _claim_try(desk: Desk, asked: Asked, name: str, address: str) -> tuple[int, str]:
    """Seconds to wait, or 0 and the try is counted, before the password is looked at; and who is slowed.

    An address is slowed as "?", whatever names it gives: else each name it makes up were a line kept for ever.
    """
    with desk.database.write() as connection:
        by_name = users.failures_of(connection, asked.now_ms, name=name)
        by_address = users.failures_of(connection, asked.now_ms, address=address)
        for_name = wait_s(by_name, FREE_BY_NAME, asked.now_ms)
        for_address = wait_s(by_address, FREE_BY_ADDRESS, asked.now_ms)
        if not (for_name or for_address):
            users.add_failure(connection, name, address, asked.now_ms)
    return max(for_name, for_address), "?" if for_address or not name else name


def _form(desk: Desk, asked: Asked, status: int, wrong: str | None) -> Response:
    # The form is tied to this browser by a cookie of its own: another site cannot sign somebody in here.
    tie = asked.request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    target = asked.form.get("next") or asked.request.query_params.get("next")
    page = render(
        desk,
        asked,
        "login.html",
        status,
        wrong=wrong,
        tie=tie,
        next=_next(target),
        name=asked.form.get("name", "")[:MAX_NAME],
    )
    page.set_cookie(
        FORM_COOKIE, tie, path="/login", secure=desk.settings.secure, httponly=True, samesite="strict", max_age=3600
    )
    return page


def _next(path: str | None) -> str:
    return path if path is not None and is_own_path(path) else "/"
