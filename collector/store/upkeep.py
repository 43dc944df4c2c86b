"""What technicians write down: maintenance windows, which always end, and notes of their visits."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, tuple_, update

from collector.store.schema import maintenance_windows, visit_notes


@dataclass(frozen=True, kw_only=True)
class Window:
    """Somebody works on a box, camera, site (COMMUNE/SITE) or commune from `start_ms` until `until_ms`."""

    id: str
    kind: str
    ref: str
    start_ms: int
    until_ms: int
    who: str
    note: str | None = None
    lifted_by: str | None = None

    def is_on(self, now_ms: int) -> bool:
        """True while it runs."""
        return self.start_ms <= now_ms < self.until_ms


@dataclass(frozen=True, kw_only=True)
class VisitNote:
    """What somebody did at a box."""

    id: str
    box: str
    wall_ms: int
    who: str
    text: str


_WINDOW = [maintenance_windows.c[name] for name in Window.__dataclass_fields__]
_NOTE = [visit_notes.c[name] for name in VisitNote.__dataclass_fields__]


def add_window(connection: Connection, window: Window) -> None:
    """Begin one, or plan it."""
    connection.execute(insert(maintenance_windows).values(**vars(window)))


def lift_window(connection: Connection, window: str, who: str, now_ms: int) -> bool:
    """End one before its time, or call it off; False when it has ended."""
    ends = update(maintenance_windows).where(
        maintenance_windows.c.id == window, maintenance_windows.c.until_ms > now_ms
    )
    return connection.execute(ends.values(until_ms=now_ms, lifted_by=who)).rowcount == 1


def find_window(connection: Connection, window: str) -> Window | None:
    """One window."""
    row = connection.execute(select(*_WINDOW).where(maintenance_windows.c.id == window)).mappings().one_or_none()
    return None if row is None else Window(**row)


def list_windows(connection: Connection, since_ms: int, limit: int = 500) -> list[Window]:
    """Windows that run, will run, or ended since then; the last to end first."""
    query = (
        select(*_WINDOW)
        .where(maintenance_windows.c.until_ms > since_ms)
        .order_by(maintenance_windows.c.until_ms.desc(), maintenance_windows.c.id)
        .limit(limit)
    )
    return [Window(**row) for row in connection.execute(query).mappings()]


def windows_of(
    connection: Connection, things: Collection[tuple[str, str]], since_ms: int, until_ms: int
) -> list[Window]:
    """Windows of any of these (kind, ref) that touch the time, earliest first."""
    windows = maintenance_windows.c
    query = (
        select(*_WINDOW)
        .where(tuple_(windows.kind, windows.ref).in_(list(things)))
        .where(windows.until_ms > since_ms, windows.start_ms < until_ms)
        .order_by(windows.start_ms)
    )
    return [Window(**row) for row in connection.execute(query).mappings()]


def windows_between(connection: Connection, since_ms: int, until_ms: int) -> dict[tuple[str, str], list[Window]]:
    """Every window that touches the time, by (kind, ref)."""
    windows = maintenance_windows.c
    query = select(*_WINDOW).where(windows.until_ms > since_ms, windows.start_ms < until_ms)
    found: dict[tuple[str, str], list[Window]] = {}
    for row in connection.execute(query.order_by(windows.start_ms)).mappings():
        found.setdefault((row["kind"], row["ref"]), []).append(Window(**row))
    return found


def add_note(connection: Connection, note: VisitNote) -> None:
    """Keep a note."""
    connection.execute(insert(visit_notes).values(**vars(note)))


def notes_of(connection: Connection, box: str, limit: int = 50) -> list[VisitNote]:
    """A box's notes, the newest first."""
    query = select(*_NOTE).where(visit_notes.c.box == box).order_by(visit_notes.c.wall_ms.desc(), visit_notes.c.id)
    return [VisitNote(**row) for row in connection.execute(query.limit(limit)).mappings()]
