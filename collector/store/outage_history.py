"""Outages as pages, API and availability read them: within reach, newest first, with their members inside."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from collector.store.fleet import Outage, outage_of
from collector.store.reach import EVERYWHERE, Place, Reach, places
from collector.store.schema import cameras, outages

_OUTAGE = [outages.c[name] for name in Outage.__dataclass_fields__]


@dataclass(frozen=True)
class Sought:
    """Outages that touch since ≤ time < until. `parts`: also those within larger ones, and cameras behind their box."""

    since_ms: int
    until_ms: int
    is_open: bool = False
    parts: bool = False
    after: tuple[int, str] | None = None
    limit: int = 100
    reach: Reach = EVERYWHERE


def list_outages(connection: Connection, sought: Sought) -> list[Outage]:
    """Newest first."""
    query = (
        select(*_OUTAGE)
        .where(outages.c.start_ms < sought.until_ms, _still(sought.since_ms), _within(connection, sought.reach))
        .order_by(outages.c.start_ms.desc(), outages.c.id.desc())
        .limit(sought.limit)
    )
    if sought.is_open:
        query = query.where(outages.c.end_ms.is_(None))
    if not sought.parts:
        query = query.where(outages.c.parent.is_(None), outages.c.state != "unreachable")
    if sought.after is not None:
        start_ms, name = sought.after
        query = query.where(
            or_(outages.c.start_ms < start_ms, and_(outages.c.start_ms == start_ms, outages.c.id < name))
        )
    return [outage_of(row) for row in connection.execute(query).mappings()]


def outages_of_box(connection: Connection, box: str, since_ms: int, limit: int = 50) -> list[Outage]:
    """Of a box and its cameras, newest first; not of cameras behind their dead box."""
    query = (
        select(*_OUTAGE)
        .where(_still(since_ms), or_(_is("box", box), and_(_behind(box), outages.c.state != "unreachable")))
        .order_by(outages.c.start_ms.desc(), outages.c.id.desc())
        .limit(limit)
    )
    return [outage_of(row) for row in connection.execute(query).mappings()]


def spans_of_cameras(
    connection: Connection, since_ms: int, until_ms: int
) -> Mapping[str, list[tuple[int, int | None]]]:
    """When each camera was away, for whatever reason; None where it still is."""
    query = select(outages.c.ref, outages.c.start_ms, outages.c.end_ms).where(
        outages.c.kind == "camera", outages.c.start_ms < until_ms, _still(since_ms)
    )
    found: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for row in connection.execute(query.order_by(outages.c.start_ms)):
        found[row.ref].append((row.start_ms, row.end_ms))
    return found


def _still(since_ms: int) -> ColumnElement[bool]:
    return or_(outages.c.end_ms.is_(None), outages.c.end_ms > since_ms)


def _is(kind: str, ref: str) -> ColumnElement[bool]:
    return and_(outages.c.kind == kind, outages.c.ref == ref)


def _behind(box: str) -> ColumnElement[bool]:
    return and_(outages.c.kind == "camera", outages.c.ref.in_(select(cameras.c.id).where(cameras.c.box == box)))


def _within(connection: Connection, reach: Reach) -> ColumnElement[bool]:
    """What a reach covers: boxes and cameras by where they stand; what is of everything only everywhere."""
    if reach == EVERYWHERE:
        return true()
    covered = {place for place in places(connection).values() if reach.covers(place)}
    sites = [f"{place.commune}/{place.site}" for place in covered]
    communes = [name for name in {place.commune for place in covered} if reach.covers(Place(name, ""))]
    mine = select(cameras.c.id).where(reach.holds(cameras.c.box))
    return or_(
        and_(outages.c.kind.in_(("box", "clone")), reach.holds(outages.c.ref)),
        and_(outages.c.kind == "camera", outages.c.ref.in_(mine)),
        and_(outages.c.kind == "site", outages.c.ref.in_(sites)) if sites else false(),
        and_(outages.c.kind == "commune", outages.c.ref.in_(communes)) if communes else false(),
    )
