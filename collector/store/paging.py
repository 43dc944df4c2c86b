"""Pages of things that have a `start_ms`, a `camera` and an `id`: by key, along indexes alone, however many there are.

A page is read along paths: conditions of which each has an index that goes on with (start_ms, id), so that the newest
rows of each are read and no others. What no index knows (`rest`: a zone, a reach of many cameras) is asked of the rows
on the way, SCANS of them at most: then the page ends, and says how far it has looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TextClause, and_, select, true, tuple_, union_all

from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import cameras

Key = tuple[int, str]
SCANS = (2_000, 20_000)
MANY = 100
"""From so many cameras on a page is read along time, and asks of each row whether its camera is one of them."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What a page holds: rows on one of the `paths` for which all of `rest` hold. `since_ms` ≤ start < `until_ms`.

    A condition of `rest` must name no column alone (see `unindexed`): an index on it would be the wrong way.
    """

    paths: Sequence[ColumnElement[bool]] = (true(),)
    rest: Sequence[ColumnElement[bool] | TextClause] = ()
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True)
class Page:
    """Rows in order; `more`: the key to go on from, None at the end; `is_cut`: the rows on the way were too many."""

    rows: list[dict[str, Any]]
    more: Key | None = None
    is_cut: bool = False


def unindexed(column: Any) -> Any:
    """The text of a column as something that no index holds."""
    return column.concat("")


def of_reach(camera: Any, reach: Reach) -> ColumnElement[bool]:
    """For `rest`: the camera of this column is within reach."""
    inside: ColumnElement[bool] = unindexed(camera).in_(select(cameras.c.id).where(reach.holds(cameras.c.box)))
    return inside


def within(connection: Connection, column: Any, reach: Reach, camera: tuple[str | None, str] | None = None) -> Way:
    """The way to a camera (box or None, name), or to all that are within reach; `column` holds the camera."""
    if camera is None and reach == EVERYWHERE:
        return Way()
    mine = select(cameras.c.id).where(reach.holds(cameras.c.box))
    if camera is not None:
        box, name = camera
        mine = mine.where(cameras.c.name == name) if box is None else mine.where(cameras.c.id == f"{box}/{name}")
    found = list(connection.scalars(mine.order_by(cameras.c.id).limit(MANY + 1)))
    if len(found) > MANY:
        return Way(rest=(unindexed(column).in_(mine),))
    return Way(paths=[column == each for each in found])


def read_page(
    connection: Connection, columns: Sequence[Any], way: Way, key: Key | None, limit: int, *, newest_first: bool = True
) -> Page:
    """Rows beyond the key, `limit` at most. `columns` are of one table, `start_ms` and `id` among them."""
    of = columns[0].table.c
    if not way.paths:
        return Page([])
    parts = [_along(columns, of, way, path, key, newest_first) for path in way.paths]
    if not way.rest:
        return _page(_run(connection, parts, of, limit, newest_first), limit, None)
    place = tuple_(of.start_ms, of.id)
    for scan in SCANS:
        each = max(scan // len(parts), 200)
        end = _seen(connection, of, way, key, each, newest_first)
        narrowed = [part.where(*way.rest) for part in parts]
        if end is not None:
            narrowed = [
                part.where(place >= tuple_(*end) if newest_first else place <= tuple_(*end)) for part in narrowed
            ]
        page = _page(_run(connection, narrowed, of, limit, newest_first), limit, end)
        if len(page.rows) == limit or end is None:
            break
    return page


def _page(rows: list[dict[str, Any]], limit: int, end: Key | None) -> Page:
    if len(rows) == limit:
        return Page(rows, (rows[-1]["start_ms"], rows[-1]["id"]))
    return Page(rows, end, is_cut=end is not None)


def _along(
    columns: Sequence[Any], of: Any, way: Way, path: ColumnElement[bool], key: Key | None, newest_first: bool
) -> Select[Any]:
    bounds = [path]
    if way.since_ms is not None:
        bounds.append(of.start_ms >= way.since_ms)
    if way.until_ms is not None:
        bounds.append(of.start_ms < way.until_ms)
    if key is not None:
        place = tuple_(of.start_ms, of.id)
        bounds.append(place < tuple_(*key) if newest_first else place > tuple_(*key))
    return _in_order(select(*columns).where(and_(*bounds)), of, newest_first)


def _run(
    connection: Connection, parts: Sequence[Select[Any]], of: Any, limit: int, newest_first: bool
) -> list[dict[str, Any]]:
    limited = [part.limit(limit) for part in parts]
    query: Select[Any] = limited[0]
    if len(limited) > 1:
        whole = union_all(*(select(part.subquery()) for part in limited)).subquery()
        query = _in_order(select(whole), whole.c, newest_first).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def _in_order(query: Select[Any], of: Any, newest_first: bool) -> Select[Any]:
    return query.order_by(*((of.start_ms.desc(), of.id.desc()) if newest_first else (of.start_ms, of.id)))


def _seen(connection: Connection, of: Any, way: Way, key: Key | None, scan: int, newest_first: bool) -> Key | None:
    """The key to which `scan` rows of every path lead; None when all of them end before."""
    found = []
    for path in way.paths:
        last = _along((of.start_ms, of.id), of, way, path, key, newest_first).offset(scan - 1).limit(1)
        found += [(row.start_ms, row.id) for row in connection.execute(last)]
    return None if not found else max(found) if newest_first else min(found)
