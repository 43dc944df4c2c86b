"""Plans of communes, and the pins on them."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from collector.store.database import upsert
from collector.store.reach import EVERYWHERE, Reach
from collector.store.schema import boxes, cameras, incidents
from collector.store.schema_desk import pins, plans


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A commune's plan; `sha256` names its bytes."""

    commune: str
    sha256: str
    kind: str
    width: int
    height: int
    uploaded_ms: int
    who: str


@dataclass(frozen=True)
class Pin:
    """Where on the plan a camera hangs: `x` from the left and `y` from the top, in 0..1."""

    camera: str
    x: float
    y: float


_PLAN = [plans.c[name] for name in Plan.__dataclass_fields__]


def communes_in(connection: Connection, reach: Reach = EVERYWHERE) -> list[str]:
    """Communes in which a box stands, by name."""
    query = select(boxes.c.commune).where(boxes.c.removed_ms.is_(None), reach.holds(boxes.c.id)).distinct()
    return sorted(connection.scalars(query))


def find_plan(connection: Connection, commune: str) -> Plan | None:
    """The commune's plan."""
    row = connection.execute(select(*_PLAN).where(plans.c.commune == commune)).one_or_none()
    return None if row is None else Plan(**row._mapping)


def plan_bytes(connection: Connection, sha256: str) -> list[tuple[str, str, bytes]]:
    """(commune, kind, bytes) of every commune whose plan has this hash."""
    query = select(plans.c.commune, plans.c.kind, plans.c.body).where(plans.c.sha256 == sha256)
    return [tuple(row) for row in connection.execute(query)]


def keep_plan(connection: Connection, plan: Plan, body: bytes) -> None:
    """The commune's plan from now on; pins stay where they are."""
    values = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    upsert(connection, plans, **values, body=body)


def pins_of(connection: Connection, commune: str, reach: Reach = EVERYWHERE) -> dict[str, Pin]:
    """The pins of the commune's cameras within reach, by camera."""
    query = (
        select(pins.c.camera, pins.c.x, pins.c.y)
        .join(cameras, cameras.c.id == pins.c.camera)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(boxes.c.commune == commune, reach.holds(boxes.c.id))
    )
    return {row.camera: Pin(*row) for row in connection.execute(query)}


def place_pin(connection: Connection, pin: Pin, who: str, now_ms: int) -> None:
    """The camera hangs here from now on."""
    upsert(connection, pins, camera=pin.camera, x=pin.x, y=pin.y, placed_ms=now_ms, who=who)


def remove_pin(connection: Connection, camera: str) -> None:
    """The camera is on no plan."""
    connection.execute(delete(pins).where(pins.c.camera == camera))


def new_incidents(connection: Connection, camera_ids: list[str]) -> dict[str, int]:
    """How many new incidents each camera has, where it has any."""
    query = (
        select(incidents.c.camera, func.count())
        .where(incidents.c.state == "new", incidents.c.camera.in_(camera_ids))
        .group_by(incidents.c.camera)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
