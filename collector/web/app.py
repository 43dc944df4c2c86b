"""The table of routes, each with the right it needs, and the application built from it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from collector.playback.copies import Copies
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from collector.web import (
    alert_rules,
    api,
    audit_log,
    box,
    cameras,
    days,
    deleting,
    fleet,
    gaps,
    handling,
    lent,
    maps,
    metrics,
    mutes,
    outages,
    pages,
    playback,
    searching,
    signing_in,
    starting,
    updates,
    upkeep,
)
from collector.web.access import SecurityHeaders, Takes, asked_of, guard, identify, identity_of_session, look_at
from collector.web.desk import Desk, Handler, WebSettings
from collector.web.live import Live, LiveEvent
from collector.web.passwords import Passwords
from collector.web.problems import Problem
from collector.web.query import Query
from collector.web.render import make_templates, render
from collector.web.rights import Identity, Right
from collector.web.wording import LANGUAGES, Wording
from vonggac.daemon.clock import Clock
from vonggac.daemon.logs import get_logger

Method = Literal["GET", "POST"]
_log = get_logger(__name__)


@dataclass(frozen=True)
class Entry:
    """A route and who may use it."""

    method: Method
    path: str
    right: Right
    handler: Handler
    style: Literal["api", "page"]
    takes: Takes = "form"


ROUTES: tuple[Entry, ...] = (
    Entry("GET", "/metrics", "see_metrics", metrics.metrics, "api"),
    Entry("GET", "/api/v1/boxes", "see_fleet", api.boxes, "api"),
    Entry("GET", "/api/v1/gaps", "see_fleet", gaps.answer, "api"),
    Entry("GET", "/api/v1/cameras", "see_fleet", api.cameras, "api"),
    Entry("GET", "/api/v1/cameras/{box}/{name}/day", "see_incidents", days.answer, "api"),
    Entry("GET", "/api/v1/boxes/{id}/commands", "see_fleet", box.commands_json, "api"),
    Entry("POST", "/api/v1/boxes/{id}/command", "command", box.command_json, "api"),
    Entry("GET", "/api/v1/outages", "see_fleet", outages.answer, "api"),
    Entry("GET", "/api/v1/availability", "see_fleet", outages.availability_json, "api"),
    Entry("GET", "/api/v1/availability.csv", "see_fleet", outages.availability_csv, "api"),
    Entry("GET", "/api/v1/episodes", "see_incidents", api.episodes, "api"),
    Entry("GET", "/api/v1/episodes/{id}", "see_incidents", api.episode, "api"),
    Entry("GET", "/api/v1/incidents", "see_incidents", api.incidents, "api"),
    Entry("GET", "/api/v1/incidents/{id}", "see_incidents", api.incident, "api"),
    Entry("POST", "/api/v1/incidents/{id}/ack", "acknowledge", api.acknowledge, "api"),
    Entry("POST", "/api/v1/incidents/{id}/step", "acknowledge", handling.step_json, "api"),
    Entry("GET", "/api/v1/clips/{id}", "see_media", api.clip, "api"),
    Entry("GET", "/api/v1/clips/{id}/playback", "see_media", playback.state, "api"),
    Entry("POST", "/api/v1/clips/{id}/playback", "see_media", playback.make, "api"),
    Entry("GET", "/api/v1/snapshots/{id}", "see_media", api.snapshot, "api"),
    Entry("GET", "/api/v1/audit", "see_audit", audit_log.audit_json, "api"),
    Entry("GET", "/lent/{id}", "public", lent.picture, "api"),
    Entry("GET", "/login", "public", signing_in.login_page, "page"),
    Entry("POST", "/login", "public", signing_in.login, "page"),
    Entry("POST", "/language", "public", signing_in.language, "page"),
    Entry("POST", "/logout", "signed_in", signing_in.logout, "page"),
    Entry("GET", "/", "signed_in", pages.home, "page"),
    Entry("GET", "/incidents/{id}", "see_incidents", pages.incident, "page"),
    Entry("GET", "/incidents/{id}/card", "see_incidents", pages.card, "page"),
    Entry("POST", "/incidents/{id}/ack", "acknowledge", pages.acknowledge, "page"),
    Entry("POST", "/incidents/{id}/step", "acknowledge", handling.step_page, "page"),
    Entry("GET", "/search", "see_incidents", searching.page, "page"),
    Entry("GET", "/episodes/{id}", "see_incidents", pages.episode, "page"),
    Entry("GET", "/cameras", "see_incidents", cameras.wall, "page"),
    Entry("GET", "/map", "see_fleet", maps.page, "page"),
    Entry("GET", "/api/v1/plans/{id}", "see_fleet", maps.plan_picture, "api"),
    Entry("POST", "/map/{id}/plan", "configure", maps.upload, "api", takes="picture"),
    Entry("POST", "/map/pins", "configure", maps.pin, "page"),
    Entry("GET", "/mutes", "see_incidents", mutes.page, "page"),
    Entry("GET", "/rules", "see_incidents", alert_rules.page, "page"),
    Entry("POST", "/rules", "configure", alert_rules.change, "page"),
    Entry("POST", "/rules/{id}/remove", "configure", alert_rules.remove, "page"),
    Entry("GET", "/start", "see_fleet", starting.page, "page"),
    Entry("POST", "/mutes", "mute", mutes.begin, "page"),
    Entry("POST", "/mutes/{id}/lift", "mute", mutes.lift, "page"),
    Entry("POST", "/clips/{id}/playback", "see_media", playback.make_page, "page"),
    Entry("POST", "/clips/{id}/delete", "delete", deleting.delete_clip, "page"),
    Entry("GET", "/boxes", "see_fleet", fleet.page, "page"),
    Entry("GET", "/boxes/{id}", "see_fleet", box.page, "page"),
    Entry("POST", "/boxes/{id}/command", "command", box.command_page, "page"),
    Entry("POST", "/boxes/{id}/visits", "maintain", box.visit, "page"),
    Entry("GET", "/outages", "see_fleet", outages.page, "page"),
    Entry("GET", "/availability", "see_fleet", outages.availability_page, "page"),
    Entry("GET", "/maintenance", "see_fleet", upkeep.page, "page"),
    Entry("POST", "/maintenance", "maintain", upkeep.begin, "page"),
    Entry("POST", "/maintenance/{id}/lift", "maintain", upkeep.lift, "page"),
    Entry("GET", "/updates", "see_fleet", updates.page, "page"),
    Entry("POST", "/updates/{id}/stop", "stop_updates", updates.stop, "page"),
    Entry("GET", "/audit", "see_audit", audit_log.page, "page"),
)
"""Everything but /healthz, /static, the live events (any signed-in reader gets what their rights cover) and uploads."""


def build_app(
    database: Database,
    data_folder: Path,
    settings: WebSettings,
    upload_app: ASGIApp | None,
    clock: Clock,
    *,
    upload_path: str = "/upload",
    stopping: Callable[[], bool] = lambda: False,
    passwords: Passwords | None = None,
) -> Starlette:
    """The whole web. `stopping` turning true ends the live streams, which would otherwise hold the server's shutdown.

    `upload_app` guards itself (boxes prove who they are by their own secret) and hangs under `upload_path`.
    """
    wordings = {language: Wording(language) for language in LANGUAGES}
    desk = Desk(
        database=database,
        data_folder=data_folder,
        settings=settings,
        clock=clock,
        passwords=passwords or Passwords(),
        live=Live(database, stopping),
        templates={language: make_templates(words) for language, words in wordings.items()},
        copies=Copies(data_folder),
        wordings=wordings,
    )
    routes: list[BaseRoute] = [
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/api/v1/live", _live(desk), methods=["GET"]),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static"),
    ]
    if upload_app is not None:
        routes.append(Mount(upload_path, upload_app))
    routes += [
        Route(entry.path, guard(desk, entry.right, entry.handler, entry.style, entry.takes), methods=[entry.method])
        for entry in ROUTES
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders, https=settings.secure)],
        exception_handlers={
            Problem: _explain(desk),
            HTTPException: _explain(desk),
            StoreUnavailable: _explain(desk),
            Exception: _explain(desk),
        },
    )


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _live(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    async def live(request: Request) -> Response:
        asked = await run_in_threadpool(look_at, desk, request, {})
        who = asked.identity
        if who is None:
            raise Problem(401, "Nobody is signed in here.", where="Authorization", hint="Sign in at /login.")
        reader: Identity = who
        since = Query(request.query_params.multi_items(), ("since",)).text("since")
        last = request.headers.get("last-event-id") or since or ""
        if last and not (last.isascii() and last.isdigit() and len(last) <= 18):
            raise Problem(
                400, "Last-Event-ID is no number.", where="Last-Event-ID", hint="Send the last id, or leave it out."
            )
        if not desk.live.has_room():
            raise Problem(
                503, "Too many are listening.", where="live", hint="Try again soon.", headers={"retry-after": "5"}
            )

        def still_good() -> bool:
            """Asked at every beat: rights and reach may have changed meanwhile, or all be over."""
            nonlocal reader
            now_ms = desk.clock.wall_ms()
            found = (
                identify(desk, request, now_ms)
                if reader.session is None
                else identity_of_session(desk, reader.session, now_ms, touch=False)
            )
            reader = found or reader
            return found is not None

        async def stream() -> AsyncIterator[bytes]:
            events = desk.live.follow(int(last) if last else None, still_good)
            try:
                async for event in events:
                    if not isinstance(event, LiveEvent):
                        yield event
                    elif (told := event.encode_for(reader)) is not None:
                        yield told
            finally:
                await events.aclose()

        return StreamingResponse(
            stream(), headers={"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
        )

    return live


def _explain(desk: Desk) -> Callable[[Request, Exception], Response]:
    """Errors: problem details for programs, a page for people. The store is not asked: it may be what failed."""

    def answer(request: Request, error: Exception) -> Response:
        problem = _as_problem(request, error)
        is_for_program = request.url.path.startswith(("/api/", "/metrics", "/healthz", "/static/"))
        if is_for_program or "text/html" not in request.headers.get("accept", ""):
            return problem.response()
        page = render(desk, asked_of(desk, request), "error.html", problem.status, problem=problem)
        page.headers.update(problem.headers)
        return page

    return answer


def _as_problem(request: Request, error: Exception) -> Problem:
    where = request.url.path[:200]
    match error:
        case Problem():
            return error
        case StoreUnavailable():
            _log.warning("the store cannot be asked now", path=where, error=str(error))
            return Problem(
                503,
                "The database cannot be asked now.",
                where=where,
                hint="Try again in a few seconds.",
                headers={"retry-after": "5"},
            )
        case HTTPException():
            hint = "See the addresses in docs/ref." if error.status_code == 404 else "See the method in docs/ref."
            return Problem(error.status_code, error.detail, where=where, hint=hint, headers=error.headers)
        case _:
            return Problem(500, "A mistake of ours; it is in the log.", where=where, hint="Tell the administrator.")
