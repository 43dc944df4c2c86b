"""The search page: episodes by camera, zone, kind, outcome and time; all of a search stands in its address.

A typed time becomes a day and a time in the address (`hôm qua 14:35` would mean another moment tomorrow), and the page
opens at the episode that is nearest to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from collector.alerts.incidents import Outcome
from collector.store import desk as rows
from collector.store.database import Connection
from collector.store.desk import Episode
from collector.store.overview import camera_names, has_more_cameras
from collector.store.paging import Key
from collector.store.reach import place_of
from collector.store.search import Sought, days_kept, find_around, find_episodes, zones_seen
from collector.web.api import query_of
from collector.web.calendar import Month, month_of
from collector.web.days import camera_day
from collector.web.desk import Asked, Desk
from collector.web.problems import Problem
from collector.web.query import Query, cursor
from collector.web.render import render
from collector.web.typed_time import moment_of, read_typed

KINDS = (
    "motion", "motion:demoted",
    "tamper:covered", "tamper:turned", "tamper:defocused", "tamper:black", "tamper:white", "tamper:frozen",
)  # fmt: skip
OUTCOMES = tuple(outcome.value for outcome in Outcome)
FIELDS = ("camera", "zone", "kind", "outcome", "day", "time", "month")
ON_ONE_PAGE = 40
AROUND = 20
LISTED_CAMERAS = 300
"""More of them are typed, not chosen from a list."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A search as its address says it; `moment_ms` is the day and time together, `wrong` the field not understood."""

    sought: Sought
    given: Mapping[str, str]
    day: date | None
    moment_ms: int | None
    wrong: str | None = None

    def address(self, **changed: str | None) -> str:
        """This search with some fields changed, as an address."""
        fields = {**self.given, **changed}
        shown = {name: value for name, value in fields.items() if value}
        return "/search" + (f"?{urlencode(shown)}" if shown else "")


@dataclass(frozen=True, kw_only=True)
class Results:
    """Newest first. `newer` and `older` are where to go on; `nearest`: the episode next to the typed time."""

    episodes: list[Episode]
    newer: Key | None = None
    older: Key | None = None
    looked_until_ms: int | None = None
    nearest: str | None = None
    away_ms: int | None = None


def page(desk: Desk, asked: Asked) -> Response:
    """Form, calendar, the day of a camera, and what was found."""
    query = query_of(asked, *FIELDS, "after", "before")
    given = {name: text for name in FIELDS if (text := query.text(name)) is not None}
    wanted = _wanted(asked, query, given)
    if wanted.wrong is None and wanted.given != given:
        mark = "#nearest" if wanted.moment_ms is not None else ""
        return RedirectResponse(wanted.address() + mark, 303)
    with desk.database.read() as connection:
        are_many = has_more_cameras(connection, asked.who.reach, LISTED_CAMERAS)
        names = None if are_many else camera_names(connection, asked.who.reach)
        results = _results(connection, query, wanted)
        month = _calendar(connection, asked, wanted)
        one = _one_camera(wanted)
        strip = None
        if one is not None and asked.who.reach.covers(place_of(connection, one.partition("/")[0])):
            begin_ms = _begins(asked, wanted.day or _today(asked))
            strip = camera_day(connection, one, begin_ms, asked.formats.day_after_ms(begin_ms), asked.now_ms)
        zones = zones_seen(connection, Sought(camera=wanted.sought.camera, reach=asked.who.reach))
        waiting = rows.waiting_in(connection, asked.who.reach)
    return render(
        desk,
        asked,
        "search.html",
        wanted=wanted,
        results=results,
        month=month,
        strip=strip,
        names=names,
        zones=zones,
        kinds=KINDS,
        outcomes=OUTCOMES,
        cursor=cursor,
        waiting=waiting,
    )


def _wanted(asked: Asked, query: Query, given: Mapping[str, str]) -> Wanted:
    now, wrong = _now(asked), None
    typed = read_typed(given["time"], now.date()) if "time" in given else None
    chosen = read_typed(given["day"], now.date()) if "day" in given else None
    if "time" in given and typed is None:
        wrong = "time"
    if "day" in given and (chosen is None or chosen.day is None):
        wrong = wrong or "day"
    day = None if chosen is None else chosen.day
    moment = None if typed is None else moment_of(typed, day, now)
    if moment is not None:
        day = moment.date()
    elif typed is not None:
        day = typed.day
    camera, known = None, dict(given)
    try:
        camera = query.camera()
    except Problem:
        wrong = wrong or "camera"
    since_ms = until_ms = None
    if wrong is None and day is not None:
        try:
            begins_ms = _begins(asked, day)
        except (OverflowError, ValueError):
            begins_ms = -1
        if not 0 < begins_ms < asked.now_ms + 366 * 86_400_000:
            wrong = "day"
        elif moment is None:
            since_ms, until_ms = begins_ms, asked.formats.day_after_ms(begins_ms)
    if wrong is None:
        known.pop("time", None)
        known.pop("day", None)
        if day is not None:
            known["day"] = f"{day:%Y-%m-%d}"
        if moment is not None:
            known["time"] = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    sought = Sought(
        camera=camera,
        zone=given.get("zone", "")[:80] or None,
        kind=query.one_of("kind", KINDS),
        outcome=query.one_of("outcome", OUTCOMES),
        since_ms=since_ms,
        until_ms=until_ms,
        reach=asked.who.reach,
    )
    moment_ms = None if wrong is not None or moment is None else round(moment.timestamp() * 1000)
    return Wanted(sought=sought, given=known, day=day if wrong is None else None, moment_ms=moment_ms, wrong=wrong)


def _results(connection: Connection, query: Query, wanted: Wanted) -> Results:
    if wanted.wrong is not None:
        return Results(episodes=[])
    after, before = query.after(), query.place("before")
    if before is not None:
        found = find_episodes(connection, wanted.sought, before, ON_ONE_PAGE, newest_first=False)
        episodes = found.episodes[::-1]
        older = (episodes[-1].start_ms, episodes[-1].id) if episodes else before
        return Results(episodes=episodes, newer=found.more, older=older)
    if after is not None or wanted.moment_ms is None:
        found = find_episodes(connection, wanted.sought, after, ON_ONE_PAGE)
        newer = None
        if after is not None:
            newer = (found.episodes[0].start_ms, found.episodes[0].id) if found.episodes else after
        looked_ms = found.more[0] if found.is_cut and found.more is not None else None
        return Results(episodes=found.episodes, newer=newer, older=found.more, looked_until_ms=looked_ms)
    return _around(connection, wanted, wanted.moment_ms)


def _around(connection: Connection, wanted: Wanted, moment_ms: int) -> Results:
    """What began before the moment and what began after it."""
    past, to_come = find_around(connection, wanted.sought, moment_ms, AROUND)
    episodes = [*to_come.episodes[::-1], *past.episodes]
    nearest = min(episodes, key=lambda each: _away_ms(each, moment_ms), default=None)
    return Results(
        episodes=episodes,
        newer=to_come.more,
        older=past.more,
        looked_until_ms=past.more[0] if past.is_cut and past.more is not None else None,
        nearest=None if nearest is None else nearest.id,
        away_ms=None if nearest is None else _away_ms(nearest, moment_ms),
    )


def _away_ms(episode: Episode, moment_ms: int) -> int:
    """How far the moment lies outside of the episode."""
    return max(0, episode.start_ms - moment_ms, moment_ms - episode.last_ms)


def _calendar(connection: Connection, asked: Asked, wanted: Wanted) -> Month:
    today = _today(asked)
    month = month_of(wanted.given.get("month", ""), wanted.day or today, today)
    days = [day for week in month.weeks for day in week if day is not None and day <= today]
    spans = [(_begins(asked, day), _begins(asked, day + timedelta(days=1))) for day in days]
    kept = days_kept(connection, wanted.sought.camera, asked.who.reach, spans)
    return month.with_kept(dict(zip(days, kept, strict=True)))


def _one_camera(wanted: Wanted) -> str | None:
    match wanted.sought.camera:
        case (str(box), name):
            return f"{box}/{name}"
    return None


def _now(asked: Asked) -> datetime:
    return asked.formats.local_time(asked.now_ms)


def _today(asked: Asked) -> date:
    return _now(asked).date()


def _begins(asked: Asked, day: date) -> int:
    return round(datetime.combine(day, datetime.min.time(), _now(asked).tzinfo).timestamp() * 1000)
