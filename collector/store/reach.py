"""Whose business a place is: the communes and sites that somebody may see and act in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, true

from collector.store.schema import boxes


@dataclass(frozen=True)
class Place:
    """Where a box stands."""

    commune: str
    site: str


@dataclass(frozen=True)
class Spot:
    """A commune, or one site in it."""

    commune: str
    site: str | None = None

    def __str__(self) -> str:
        return self.commune if self.site is None else f"{self.commune} / {self.site}"


@dataclass(frozen=True)
class Reach:
    """`spots` None: everywhere; no spot: nowhere."""

    spots: tuple[Spot, ...] | None = None

    def covers(self, place: Place | None) -> bool:
        """True when the place lies within; a place that is not known only everywhere."""
        if self.spots is None:
            return True
        return place is not None and any(
            spot.commune == place.commune and spot.site in (None, place.site) for spot in self.spots
        )

    def holds(self, box: Any) -> ColumnElement[bool]:
        """The SQL condition that the box of this column stands within."""
        if self.spots is None:
            return true()
        within = [_within(spot) for spot in self.spots]
        condition: ColumnElement[bool] = box.in_(select(boxes.c.id).where(or_(*within))) if within else false()
        return condition

    def whole_communes(self) -> tuple[str, ...] | None:
        """The communes of which every site is within; None: everywhere."""
        return None if self.spots is None else tuple(spot.commune for spot in self.spots if spot.site is None)

    def stored(self) -> list[list[str | None]] | None:
        """As the database keeps it."""
        return None if self.spots is None else [[spot.commune, spot.site] for spot in self.spots]

    @staticmethod
    def read(stored: Iterable[Iterable[str | None]] | None) -> "Reach":
        """What `stored` wrote."""
        if stored is None:
            return EVERYWHERE
        spots = [tuple(each) for each in stored]
        return Reach(tuple(Spot(str(commune), site) for commune, site in spots))


EVERYWHERE = Reach()


def place_of(connection: Connection, box: str) -> Place | None:
    """Where the box stands, or stood when it was removed; None for a box that was never registered."""
    row = connection.execute(select(boxes.c.commune, boxes.c.site).where(boxes.c.id == box)).one_or_none()
    return None if row is None else Place(*row)


def places(connection: Connection) -> dict[str, Place]:
    """Where every box stands, by box."""
    query = select(boxes.c.id, boxes.c.commune, boxes.c.site)
    return {row.id: Place(row.commune, row.site) for row in connection.execute(query)}


def _within(spot: Spot) -> ColumnElement[bool]:
    return (
        boxes.c.commune == spot.commune
        if spot.site is None
        else and_(boxes.c.commune == spot.commune, boxes.c.site == spot.site)
    )
