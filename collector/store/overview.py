"""What pages and API read of the fleet: each box with its state, its last heartbeat and its cameras."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, select

from collector.store.kept import Kept
from collector.store.reach import EVERYWHERE, Place, Reach
from collector.store.schema import boxes, cameras, fleet_states, heartbeats
from vonggac.wire.messages import (
    BoxHealth,
    CameraHealth,
    DemotedPlace,
    Heartbeat,
    OutboxHealth,
    Rectangle,
    Refused,
    StreamHealth,
)

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A state as the fleet loop derived it; `since_ms` None and state "unknown" while it has not looked yet."""

    state: str = "unknown"
    since_ms: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DemotedSince:
    """A place of the picture that does not alert; `since_ms` by the collector's clock."""

    box: Rectangle
    since_ms: int

    @property
    def where(self) -> str:
        """In which of nine parts of the picture its middle is: top_left … bottom_right."""
        x, y = (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2
        row, column = ("top", "middle", "bottom")[min(2, int(y * 3))], ("left", "centre", "right")[min(2, int(x * 3))]
        return f"{row}_{column}"


@dataclass(frozen=True, kw_only=True)
class CameraView:
    """A camera. `health` is its part of the last heartbeat, None when never told."""

    id: str
    name: str
    box: str
    has_sub: bool | None
    configured: bool
    standing: Standing
    health: CameraHealth | None = None
    health_ms: int | None = None

    @property
    def last_frame_ms(self) -> int | None:
        """When its last frame was decoded, by the collector's clock."""
        age_ms = None if self.health is None else self.health.last_frame_age_ms
        return None if age_ms is None or self.health_ms is None else self.health_ms - age_ms

    @property
    def demoted(self) -> tuple[DemotedSince, ...]:
        """Where it does not alert, as of the last heartbeat."""
        if self.health is None or self.health_ms is None:
            return ()
        return tuple(
            DemotedSince(box=place.box, since_ms=self.health_ms - place.age_ms) for place in self.health.demoted
        )


@dataclass(frozen=True, kw_only=True)
class BoxView:
    """A box. `heartbeat` is the last one, None when none ever came."""

    id: str
    site: str
    commune: str
    standing: Standing
    connected: bool | None
    status_ms: int | None
    boot_id: str | None
    agent_version: str | None
    heartbeat: Heartbeat | None
    heartbeat_ms: int | None
    clock: str | None
    cameras: tuple[CameraView, ...] = ()


_views = Kept()


def list_boxes(connection: Connection, box: str | None = None, reach: Reach = EVERYWHERE) -> list[BoxView]:
    """Every box within reach that may connect (or only `box`), by commune, site and id.

    A box of which every row is as it was when it was last asked for is the same object again.
    """
    query = (
        select(
            boxes.c.id, boxes.c.site, boxes.c.commune, boxes.c.connected, boxes.c.status_ms, boxes.c.boot_id,
            boxes.c.agent_version, cast(heartbeats.c.body, Text), heartbeats.c.received_ms, heartbeats.c.clock,
            fleet_states.c.state, fleet_states.c.since_ms, cast(fleet_states.c.reasons, Text),
        )
        .outerjoin(heartbeats, heartbeats.c.box == boxes.c.id)
        .outerjoin(fleet_states, and_(fleet_states.c.kind == "box", fleet_states.c.ref == boxes.c.id))
        .where(boxes.c.removed_ms.is_(None), reach.holds(boxes.c.id))
        .order_by(boxes.c.commune, boxes.c.site, boxes.c.id)
    )  # fmt: skip
    lines = _as_list(connection)(
        cameras.c.id, cameras.c.name, cameras.c.has_sub, fleet_states.c.state, fleet_states.c.since_ms,
        fleet_states.c.reasons,
    )  # fmt: skip
    of_boxes = (
        select(cameras.c.box, cast(lines, Text))
        .outerjoin(fleet_states, and_(fleet_states.c.kind == "camera", fleet_states.c.ref == cameras.c.id))
        .where(cameras.c.configured, reach.holds(cameras.c.box))
        .group_by(cameras.c.box)
    )
    if box is not None:
        query, of_boxes = query.where(boxes.c.id == box), of_boxes.where(cameras.c.box == box)
    cameras_of: dict[str, str] = {name: lines for name, lines in connection.execute(of_boxes)}  # noqa: C416
    found = []
    for row in connection.execute(query):
        given = (tuple(row), cameras_of.get(row[0], "[]"))
        found.append(_views.of(row[0], given, lambda given=given: _view(*given)))  # type: ignore[misc]
    return found


def _as_list(connection: Connection) -> Callable[..., ColumnElement[Any]]:
    """A JSON list of each row's values as a list: what is the same as the last time need not be read."""
    if connection.dialect.name == "sqlite":
        return lambda *columns: func.json_group_array(func.json_array(*columns))
    return lambda *columns: func.json_agg(func.json_build_array(*columns))


Line = tuple[Any, ...]
"""A row of the database in the order of the query."""


def _view(line: Line, of_cameras: str) -> BoxView:
    box, site, commune, connected, status_ms, boot_id, version, body, heard_ms, clock, *standing = line
    beat = None if body is None else _heartbeat(json.loads(body))
    health_of = {} if beat is None else {each.name: each for each in beat.cameras}
    return BoxView(
        id=box,
        site=site,
        commune=commune,
        standing=_standing(*standing),
        connected=connected,
        status_ms=status_ms,
        boot_id=boot_id,
        agent_version=version,
        heartbeat=beat,
        heartbeat_ms=heard_ms,
        clock=clock,
        cameras=tuple(
            CameraView(
                id=camera,
                name=name,
                box=box,
                has_sub=None if has_sub is None else bool(has_sub),
                configured=True,
                standing=_standing(*state),
                health=health_of.get(name),
                health_ms=heard_ms,
            )
            for camera, name, has_sub, *state in sorted(json.loads(of_cameras))
        ),
    )


@dataclass(frozen=True)
class CameraName:
    """A camera to choose from, and where it hangs."""

    id: str
    site: str
    commune: str

    @property
    def place(self) -> Place:
        """Where it hangs."""
        return Place(self.commune, self.site)


def camera_names(connection: Connection, reach: Reach = EVERYWHERE, limit: int | None = None) -> list[CameraName]:
    """Cameras that are configured, within reach, by commune, site and id."""
    query = (
        select(cameras.c.id, boxes.c.site, boxes.c.commune)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(cameras.c.configured, boxes.c.removed_ms.is_(None), reach.holds(cameras.c.box))
        .order_by(boxes.c.commune, boxes.c.site, cameras.c.id)
        .limit(limit)
    )
    return [CameraName(*row) for row in connection.execute(query)]


def has_more_cameras(connection: Connection, reach: Reach, than: int) -> bool:
    """Are there more than so many in `camera_names`?"""
    query = (
        select(cameras.c.id)
        .join(boxes, boxes.c.id == cameras.c.box)
        .where(cameras.c.configured, boxes.c.removed_ms.is_(None), reach.holds(cameras.c.box))
        .offset(than)
        .limit(1)
    )
    return connection.scalar(query) is not None


def _standing(state: str | None, since_ms: int | None, reasons: str | list[str] | None) -> Standing:
    """SQLite keeps JSON as text, and puts it as text into a list."""
    if state is None:
        return Standing()
    read = json.loads(reasons) if isinstance(reasons, str) else reasons
    return Standing(state=state, since_ms=since_ms, reasons=tuple(read or ()))


def _heartbeat(body: Json) -> Heartbeat:
    """The heartbeat as it travelled (ingest read it strictly); what a newer or older agent says besides is left out."""
    cameras_told = tuple(
        CameraHealth(
            **{
                **_known(CameraHealth, each),
                "main": StreamHealth(**_known(StreamHealth, each["main"])),
                "sub": None if each.get("sub") is None else StreamHealth(**_known(StreamHealth, each["sub"])),
                "demoted": tuple(DemotedPlace(**_known(DemotedPlace, place)) for place in each.get("demoted", ())),
            }
        )
        for each in body["cameras"]
    )
    return Heartbeat(
        interval_s=body["interval_s"],
        cameras=cameras_told,
        host=BoxHealth(**_known(BoxHealth, body["host"])),
        outbox=OutboxHealth(
            **{
                **_known(OutboxHealth, body["outbox"]),
                "refused": tuple(Refused(**_known(Refused, each)) for each in body["outbox"].get("refused", ())),
            }
        ),
    )


def _known(
    kind: type[BoxHealth | CameraHealth | DemotedPlace | OutboxHealth | Refused | StreamHealth], told: Json
) -> Json:
    return {field.name: told[field.name] for field in fields(kind) if field.name in told}
