"""Search: episodes by camera, zone, kind, outcome and time, and the days on which there is footage."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, Text, and_, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql

from collector.store.desk import EPISODE_COLUMNS, Episode, whole_episodes
from collector.store.paging import Key, Way, cameras_of, of_reach, read_page, unindexed, within
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import cameras, clips, episodes
from collector.store.schema_desk import NOT_MOTION

MOTION = "motion"
Span = tuple[int, int]
"""A day's beginning and end in UTC milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What is looked for; `camera` is (box or None, name), `since_ms` ≤ start < `until_ms`."""

    camera: tuple[str | None, str] | None = None
    zone: str | None = None
    kind: str | None = None
    outcome: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    reach: Reach = EVERYWHERE


@dataclass(frozen=True)
class Found:
    """Episodes in order of the page, and where to go on; see paging.Page."""

    episodes: list[Episode]
    more: Key | None
    is_cut: bool


def find_episodes(
    connection: Connection, sought: Sought, key: Key | None, limit: int, *, newest_first: bool = True
) -> Found:
    """Episodes beyond the key, `limit` at most."""
    page = read_page(connection, EPISODE_COLUMNS, _way(connection, sought), key, limit, newest_first=newest_first)
    return Found(whole_episodes(connection, page.rows), page.more, page.is_cut)


def find_around(connection: Connection, sought: Sought, moment_ms: int, limit: int) -> tuple[Found, Found]:
    """What began before the moment, newest first, and what began after it, earliest first; `limit` of each at most."""
    way, at = _way(connection, sought), (moment_ms, "")
    past, to_come = (
        read_page(connection, EPISODE_COLUMNS, way, at, limit, newest_first=newest_first)
        for newest_first in (True, False)
    )
    whole = whole_episodes(connection, [*past.rows, *to_come.rows])
    split = len(past.rows)
    return Found(whole[:split], past.more, past.is_cut), Found(whole[split:], to_come.more, to_come.is_cut)


def _way(connection: Connection, sought: Sought) -> Way:
    way = within(connection, episodes.c.camera, sought.reach, sought.camera)
    paths, rest = way.paths, [*way.rest]
    kind, outcome = sought.kind, sought.outcome
    rare = _rare(kind, outcome) if sought.camera is None else None
    if rare is not None:
        # Along what is rare everywhere; of each it is asked where it was.
        paths = (rare,)
        if sought.reach != EVERYWHERE:
            rest = [of_reach(episodes.c.camera, sought.reach)]
        kind, outcome = (kind, None) if outcome is not None else (None, None)
    if kind is not None:
        rest.append(unindexed(episodes.c.kind) == kind)
    if outcome is not None:
        rest.append(unindexed(episodes.c.outcome) == outcome)
    if sought.zone is not None:
        rest.append(_touches(connection, sought.zone))
    any_path = way.any_path if rare is None else None
    return replace(way, paths=paths, any_path=any_path, rest=rest, since_ms=sought.since_ms, until_ms=sought.until_ms)


def _rare(kind: str | None, outcome: str | None) -> ColumnElement[bool] | None:
    if outcome is not None:
        return episodes.c.outcome == outcome
    return None if kind is None or kind == MOTION else and_(episodes.c.kind == kind, NOT_MOTION)


def _touches(connection: Connection, zone: str) -> ColumnElement[bool]:
    """The zone stands in the list: in its JSON, which both databases keep as it was written."""
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    found: ColumnElement[bool] = find(cast(episodes.c.zones, Text), json.dumps(zone)) > 0
    return found


@dataclass(frozen=True)
class DayKept:
    """What is here of a day: episodes at all, and a clip that can be watched."""

    episodes: bool = False
    footage: bool = False


def days_kept(
    connection: Connection, camera: tuple[str | None, str] | None, reach: Reach, days: Sequence[Span]
) -> list[DayKept]:
    """For each day (its beginning and end in milliseconds) whether something is here of the cameras meant.

    The days go in as one JSON text: so one statement asks for a month, and is the same for every month.
    """
    whose = None if camera is None and reach == EVERYWHERE else cameras_of(reach, camera)
    number, begin, end = _days_given(connection)
    query = select(
        number,
        _is_there(episodes.c.start_ms, whose, (), begin, end),
        _is_there(clips.c.first_frame_ms, whose, (clips.c.state == "stored",), begin, end),
    )
    given = json.dumps([[number, begin, end] for number, (begin, end) in enumerate(days)])
    found = {row[0]: DayKept(bool(row[1]), bool(row[2])) for row in connection.execute(query, {"days": given})}
    return [found[number] for number in range(len(days))]


def _days_given(connection: Connection) -> list[Any]:
    """Number, beginning and end of each day in the parameter `days`."""
    if connection.dialect.name == "sqlite":
        day = func.json_each(bindparam("days", type_=Text)).table_valued("value").c.value
        return [func.json_extract(day, f"$[{place}]", type_=BigInteger) for place in range(3)]
    given = cast(bindparam("days", type_=Text), postgresql.JSON)
    day = func.json_array_elements(given).table_valued(column("value", postgresql.JSON)).c.value
    return [cast(day[place].astext, BigInteger) for place in range(3)]


def _is_there(
    time: Any, whose: Select[tuple[str]] | None, rest: Sequence[Any], begin: Any, end: Any
) -> ColumnElement[bool]:
    """Is there a row in the span? Of each camera only the first is looked for, along the index of camera and time."""
    there = select(time).where(time >= begin, time < end, *rest)
    if whose is None:
        return there.correlate_except(time.table).exists()
    of_camera = there.where(time.table.c.camera == cameras.c.id).correlate_except(time.table).exists()
    return whose.where(of_camera).correlate_except(cameras).exists()


def zones_seen(connection: Connection, sought: Sought, limit: int = 60) -> list[str]:
    """The zones that the newest episodes touched: what one may look for."""
    page = read_page(
        connection, (episodes.c.start_ms, episodes.c.id, episodes.c.zones),
        within(connection, episodes.c.camera, sought.reach, sought.camera), None, limit,
    )  # fmt: skip
    return sorted({zone for row in page.rows for zone in row["zones"]})


def episodes_within(
    connection: Connection, camera: str, since_ms: int, until_ms: int
) -> list[tuple[str, int, int, float, str]]:
    """(id, start, last motion, score, kind) of one camera's episodes, earliest first."""
    of = episodes.c
    query = (
        select(of.id, of.start_ms, of.last_ms, of.score, of.kind)
        .where(of.camera == camera, of.start_ms >= since_ms, of.start_ms < until_ms)
        .order_by(of.start_ms)
    )
    return [tuple(row) for row in connection.execute(query)]
