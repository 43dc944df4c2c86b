"""Pages of things that have a `start_ms`, a `camera` and an `id`: by key, along indexes alone, however many there are.

A page is read along paths: conditions of which each has an index that goes on with (start_ms, id), so that the newest
rows of each are read and no others. What no index knows (`rest`: a zone, a reach of many cameras) is asked of the rows
on the way, SCANS of them at most: then the page ends, and says how far it has looked. Where there are many paths, the
newest rows of all are looked at first: more often than not the page is full before any path is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TextClause, and_, select, true, tuple_

from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import cameras

Key = tuple[int, str]
SCANS = (2_000, 20_000)
MANY = 100
"""From so many cameras on a page is read along time, and asks of each row whether its camera is one of them."""
FEW = 4
"""Beyond so many paths the newest rows of all are looked at first."""
SOME = 30
"""Beyond so many, to ask each path costs more than to look through as many rows as we ever do."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What a page holds: rows on one of the `paths` for which all of `rest` hold. `since_ms` ≤ start < `until_ms`.

    `any_path` says of a row, without an index, that it is on one of many paths.

    A condition of `rest` must name no column alone (see `unindexed`): an index on it would be the wrong way.
    """

    paths: Sequence[ColumnElement[bool]] = (true(),)
    any_path: ColumnElement[bool] | None = None
    rest: Sequence[ColumnElement[bool] | TextClause] = ()
    since_ms: int | None = None
    until_ms: int | None = None


class _Paths(Sequence[ColumnElement[bool]]):
    """A path for each camera; made when it is gone, for most are not."""

    def __init__(self, column: Any, found: Sequence[Any]) -> None:
        self._column = column
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: Any) -> Any:
        return self._column == self._found[index]


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
    inside: ColumnElement[bool] = unindexed(camera).in_(cameras_of(reach))
    return inside


def within(connection: Connection, column: Any, reach: Reach, camera: tuple[str | None, str] | None = None) -> Way:
    """The way to a camera (box or None, name), or to all that are within reach; `column` holds the camera."""
    if camera is None and reach == EVERYWHERE:
        return Way()
    if camera is not None and camera[0] is not None and reach == EVERYWHERE:
        return Way(paths=(column == f"{camera[0]}/{camera[1]}",))
    mine = cameras_of(reach, camera)
    found = list(connection.scalars(mine.order_by(cameras.c.id).limit(MANY + 1)))
    is_one = unindexed(column).in_(mine)
    if len(found) > MANY:
        return Way(rest=(is_one,))
    return Way(paths=_Paths(column, found), any_path=is_one if len(found) > FEW else None)


def cameras_of(reach: Reach, camera: tuple[str | None, str] | None = None) -> Select[tuple[str]]:
    """The ids of the cameras meant."""
    mine = select(cameras.c.id).where(reach.holds(cameras.c.box))
    if camera is None:
        return mine
    box, name = camera
    return mine.where(cameras.c.name == name) if box is None else mine.where(cameras.c.id == f"{box}/{name}")


def read_page(
    connection: Connection, columns: Sequence[Any], way: Way, key: Key | None, limit: int, *, newest_first: bool = True
) -> Page:
    """Rows beyond the key, `limit` at most. `columns` are of one table, `start_ms` and `id` among them."""
    of = columns[0].table.c
    if not way.paths:
        return Page([])
    if way.any_path is not None:
        along_time = replace(way, paths=(true(),), rest=(way.any_path, *way.rest))
        for scan in SCANS if len(way.paths) > SOME else SCANS[:1]:
            page = _looked_through(connection, columns, of, along_time, key, limit, newest_first, scan)
            if len(page.rows) == limit or not page.is_cut:
                return page
        if way.rest and len(way.paths) > SOME:
            return page
    if not way.rest:
        parts = [_along(columns, of, way, path, key, newest_first) for path in way.paths]
        return _page(_run(connection, parts, limit, newest_first), limit, None)
    for scan in SCANS:
        page = _looked_through(connection, columns, of, way, key, limit, newest_first, scan)
        if len(page.rows) == limit or not page.is_cut:
            break
    return page


def _looked_through(
    connection: Connection, columns: Sequence[Any], of: Any, way: Way, key: Key | None, limit: int,
    newest_first: bool, scan: int,
) -> Page:  # fmt: skip
    """The page as far as `scan` rows of all paths together lead."""
    end = _seen(connection, of, way, key, max(scan // len(way.paths), 200), newest_first)
    parts = [_along(columns, of, way, path, key, newest_first).where(*way.rest) for path in way.paths]
    if end is not None:
        place = tuple_(of.start_ms, of.id)
        near = place >= tuple_(*end) if newest_first else place <= tuple_(*end)
        parts = [part.where(near) for part in parts]
    return _page(_run(connection, parts, limit, newest_first), limit, end)


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


def _run(connection: Connection, parts: Sequence[Select[Any]], limit: int, newest_first: bool) -> list[dict[str, Any]]:
    """One query for each part: a union of a hundred costs several times as much to put together."""
    rows = [dict(row) for part in parts for row in connection.execute(part.limit(limit)).mappings()]
    if len(parts) > 1:
        rows.sort(key=lambda row: (row["start_ms"], row["id"]), reverse=newest_first)
    return rows[:limit]


def _in_order(query: Select[Any], of: Any, newest_first: bool) -> Select[Any]:
    return query.order_by(*((of.start_ms.desc(), of.id.desc()) if newest_first else (of.start_ms, of.id)))


def _seen(connection: Connection, of: Any, way: Way, key: Key | None, scan: int, newest_first: bool) -> Key | None:
    """The key to which `scan` rows of every path lead; None when all of them end before."""
    found = []
    for path in way.paths:
        last = _along((of.start_ms, of.id), of, way, path, key, newest_first).offset(scan - 1).limit(1)
        found += [(row.start_ms, row.id) for row in connection.execute(last)]
    return None if not found else max(found) if newest_first else min(found)
