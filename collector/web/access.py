"""The guard before every handler: who asks, may they, is the form theirs; and the headers that every answer carries.

Sessions come by cookie, programs by `Authorization: Bearer`. A request that changes something must come from our own
pages (Sec-Fetch-Site, else Origin) and, with a session, carry its CSRF token as form field `csrf` or X-CSRF-Token.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Literal, NoReturn
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.store import users
from collector.store.live import newest_change
from collector.store.reach import Place, place_of
from collector.web.auditing import note_view
from collector.web.desk import Asked, Desk, Handler
from collector.web.formats import Formats
from collector.web.problems import Problem, not_found
from collector.web.rights import Identity, Right, rights_of
from collector.web.wording import choose_language

MAX_FORM_BYTES = 16 * 1024
MAX_FIELDS = 64
MAX_PICTURE_BYTES = 12 * 2**20
LANGUAGE_COOKIE = "vg_language"
SAFE_METHODS = frozenset({"GET", "HEAD"})
Style = Literal["api", "page"]
Takes = Literal["form", "picture"]

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def session_cookie(desk: Desk) -> str:
    """The cookie's name: behind https the browser itself sees to it that no other host can set it."""
    return "__Host-vg_session" if desk.settings.secure else "vg_session"


def guard(
    desk: Desk, right: Right, handler: Handler, style: Style, takes: Takes = "form"
) -> Callable[[Request], Awaitable[Response]]:
    """The handler behind the right that it needs. A picture is read only once it is known who sends it."""

    def let_in(request: Request, form: Mapping[str, str]) -> Asked | Response:
        asked = look_at(desk, request, form)
        if right != "public":
            if asked.identity is None:
                return _not_signed_in(request, style)
            if not asked.identity.may(right):
                refuse(desk, asked, right)
            if request.method not in SAFE_METHODS:
                check_csrf(asked)
        return asked

    def look_and_answer(request: Request, form: Mapping[str, str]) -> Response:
        asked = let_in(request, form)
        return handler(desk, asked) if isinstance(asked, Asked) else asked

    async def answer(request: Request) -> Response:
        form: Mapping[str, str] = {}
        if request.method not in SAFE_METHODS:
            check_origin(request.headers)
            form = await read_form(request) if takes == "form" else {}
        if takes == "form":
            return await run_in_threadpool(look_and_answer, request, form)
        asked = await run_in_threadpool(let_in, request, form)
        if not isinstance(asked, Asked):
            return asked
        asked = replace(asked, body=await read_body(request, MAX_PICTURE_BYTES))
        return await run_in_threadpool(handler, desk, asked)

    return answer


def refuse(desk: Desk, asked: Asked, right: Right) -> NoReturn:
    """403 for a right that is not held, and a line in the audit log."""
    path = asked.request.url.path[:200]
    note_view(desk, asked, "refused", thing="route", ref=f"{asked.request.method} {path}", detail={"right": right})
    raise Problem(
        403, f"{asked.who.name} does not hold the right {right}.", where=path, hint="Ask an administrator for it."
    )


def require_reach(desk: Desk, asked: Asked, box: str, thing: str, ref: str) -> Place:
    """Where the box stands. 404 and a line in the audit log when that is not within the asker's reach."""
    with desk.database.read() as connection:
        place = place_of(connection, box)
    if place is None or not asked.who.reach.covers(place):
        commune = None if place is None else place.commune
        note_view(desk, asked, "refused", thing=thing, ref=ref, commune=commune)
        raise not_found(thing, ref)
    return place


def require_place(desk: Desk, asked: Asked, place: Place, thing: str, ref: str) -> None:
    """404 and a line in the audit log when the place (without a site: a whole commune) is not within reach."""
    if not asked.who.reach.covers(place):
        note_view(desk, asked, "refused", thing=thing, ref=ref, commune=place.commune)
        raise not_found(thing, ref)


def asked_of(
    desk: Desk, request: Request, identity: Identity | None = None, form: Mapping[str, str] | None = None
) -> Asked:
    """The request in its language, at this moment."""
    words = desk.wordings[choose_language(request.cookies.get(LANGUAGE_COOKIE))]
    return Asked(
        request=request,
        now_ms=desk.clock.wall_ms(),
        words=words,
        formats=Formats(words, desk.settings.zone),
        identity=identity,
        form=form or {},
    )


def look_at(desk: Desk, request: Request, form: Mapping[str, str]) -> Asked:
    """The request and who asks."""
    identity = identify(desk, request, desk.clock.wall_ms())
    if identity is None or identity.by != "session":
        return asked_of(desk, request, identity, form)
    with desk.database.read() as connection:
        change = newest_change(connection)
    return replace(asked_of(desk, request, identity, form), change=change)


def identify(desk: Desk, request: Request, now_ms: int) -> Identity | None:
    """Whoever a token or a session proves; None without either, and with one that is over."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        with desk.database.read() as connection:
            token = users.find_token(connection, secret.strip(), now_ms)
        if token is None:
            return None
        rights = rights_of(token.role, without=token.standing.without)
        name = f"{token.user}/{token.name}"
        return Identity(name=name, role=token.role, by="token", rights=rights, reach=token.standing.reach)
    cookie = request.cookies.get(session_cookie(desk))
    return None if not cookie else identity_of_session(desk, users.digest(cookie), now_ms, touch=True)


def identity_of_session(desk: Desk, token_hash: str, now_ms: int, *, touch: bool) -> Identity | None:
    """The session's user, None when it is over. `touch` begins its idle time anew (written at most once a minute)."""
    with desk.database.read() as connection:
        session = users.find_session(connection, token_hash, now_ms, desk.settings.session_idle_s * 1000)
    if session is None:
        return None
    if touch and now_ms - session.seen_ms >= users.TOUCH_EVERY_MS:
        with desk.database.write() as connection:
            users.touch_session(connection, token_hash, now_ms)
    return Identity(
        name=session.user,
        role=session.role,
        by="session",
        rights=rights_of(session.role, session.standing.also, session.standing.without),
        reach=session.standing.reach,
        csrf=session.csrf,
        session=session.token_hash,
    )


def check_origin(headers: Headers) -> None:
    """Refuse a change that another site's page sends. A program that is no browser sends neither header."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = (
        site not in ("same-origin", "none")
        if site is not None
        else (origin is not None and urlsplit(origin).netloc != headers.get("host", ""))
    )
    if foreign:
        raise Problem(
            403,
            "This request comes from another site's page.",
            where="Sec-Fetch-Site" if site is not None else "Origin",
            hint="Open the page here and try again.",
        )


def check_csrf(asked: Asked) -> None:
    """Refuse a change by session whose form is not ours."""
    if asked.who.by != "session":
        return
    given = asked.request.headers.get("x-csrf-token") or asked.form.get("csrf", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), (asked.who.csrf or "").encode()):
        raise Problem(403, "The form's token is missing or old.", where="csrf", hint="Load the page again and repeat.")


async def read_form(request: Request) -> dict[str, str]:
    """A small urlencoded form; any other body is read, bounded, and ignored."""
    data = await read_body(request, MAX_FORM_BYTES)
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        return {}
    try:
        fields = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Problem(
            400, "The form cannot be read.", where="body", hint=f"Send UTF-8, at most {MAX_FIELDS} fields."
        ) from None
    return {name: value.replace("\0", "") for name, value in fields}


async def read_body(request: Request, max_bytes: int) -> bytes:
    """All of it, as long as it is no larger."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > max_bytes:
            raise Problem(413, f"The body is larger than {max_bytes} bytes.", where="body", hint="Send less.")
    return bytes(data)


def is_own_path(path: str) -> bool:
    """True for a path on this server that is safe to send a browser to."""
    return path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() and len(path) <= 500


def _not_signed_in(request: Request, style: Style) -> Response:
    if style == "api":
        raise Problem(
            401,
            "Nobody is signed in here.",
            where="Authorization",
            hint="Sign in at /login, or send Authorization: Bearer TOKEN.",
            headers={"www-authenticate": 'Bearer realm="vonggac"'},
        )
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method in SAFE_METHODS:
        # A link in a mail: SameSite=Strict kept the cookie back. Asked again by our own page, the browser sends it.
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0"><title>Vọng Gác</title>')
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(path[:500], safe='/')}" if path != "/" else "/login", 303)


class SecurityHeaders:
    """Puts the headers on every answer, and keeps answers out of caches unless a handler said otherwise."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = {**_HEADERS, **({"strict-transport-security": "max-age=31536000"} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
