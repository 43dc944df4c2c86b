"""Boxes that speak to the collector's store, and the fleet's watch over them, with time in the test's hand."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from collector.alerts.bell import Bell
from collector.fleet.telling import Telling
from collector.fleet.watch import FleetWatch
from collector.store.boxes import record_birth, record_heartbeat, record_offline
from collector.store.episodes import record_camera_state
from collector.store.schema import fleet_states, outages
from collector.store.upkeep import Window, add_window
from tests.integration.alerts.desk import NOW, ZONE, Desk, Phone
from tests.support.clock import FakeClock
from vonggac.daemon.clock import new_id
from vonggac.wire import messages as m

OUTBOX = "01890a5d-0000-7000-8000-00000000000a"


class Fleet:
    """Boxes that speak to the collector's store, and the watch over them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.clock = FakeClock(NOW)
        self.listening = True
        self.boots: dict[str, str] = {}
        self.phone = Phone("technician", language="en")
        self.watch = self.new_watch()

    def new_watch(self) -> FleetWatch:
        telling = Telling((self.phone,), ZONE, "https://vg.example")
        return FleetWatch(self.desk.database, telling, Bell(), lambda: self.listening)

    def say(self, body: m.Body, box: str = "hop-1") -> None:
        now_ms = self.clock.wall_ms()
        envelope = m.Envelope(
            id=new_id(self.clock), box=box, boot_id=self.boots.get(box, self.clock.boot_id), wall_ms=now_ms,
            mono_ms=round(self.clock.mono_ms()), clock="synced", body=body,
        )  # fmt: skip
        with self.desk.database.write() as connection:
            if isinstance(body, m.Birth):
                record_birth(connection, envelope, body, now_ms)
            elif isinstance(body, m.Offline):
                record_offline(connection, envelope, body, now_ms)
            elif isinstance(body, m.CameraState):
                record_camera_state(connection, envelope, body, now_ms)
            else:
                record_heartbeat(connection, envelope, as_it_travels(body), now_ms)

    def beat_all(self, boxes: Sequence[str]) -> None:
        """A heartbeat of each box; none of them has a camera."""
        for box in boxes:
            self.beat(box=box)

    def beat(self, *, hall_age_ms: int | None = 100, box: str = "hop-1", **host: Any) -> None:
        ages = {"gate": 100, "hall": hall_age_ms}
        self.say(
            m.Heartbeat(
                interval_s=30.0,
                cameras=tuple(
                    m.CameraHealth(name=name, main=m.StreamHealth(state="streaming"), last_frame_age_ms=age)
                    for name, age in ages.items()
                ),
                host=m.BoxHealth(uptime_ms=1, **host),
                outbox=m.OutboxHealth(outbox=OUTBOX, last_seq=0, events=0, snapshots=0, clips=0, clip_bytes=0),
            ),
            box,
        )

    def go(self, seconds: float, *, beating: bool = False, **more: Any) -> None:
        """Let time pass in steps of two seconds, with heartbeats or without."""
        for index in range(round(seconds / 2)):
            if beating and index % 15 == 0:
                self.beat(**more)
            self.watch.step(self.clock.wall_ms(), self.clock.mono_ms())
            self.clock.advance(2000)
        self.watch.step(self.clock.wall_ms(), self.clock.mono_ms())

    def go_with(self, seconds: float, boxes: Sequence[str]) -> None:
        """Let time pass while these boxes beat every 30 s, each at a moment of its own; the others are silent."""
        for index in range(round(seconds / 10)):
            self.beat_all([box for number, box in enumerate(boxes) if number % 3 == index % 3])
            self.watch.step(self.clock.wall_ms(), self.clock.mono_ms())
            self.clock.advance(10_000)

    def states(self) -> dict[str, str]:
        with self.desk.database.read() as connection:
            return {row.ref: row.state for row in connection.execute(sa.select(fleet_states))}

    def outages(self) -> list[tuple[Any, ...]]:
        with self.desk.database.read() as connection:
            query = sa.select(outages.c.ref, outages.c.state, outages.c.start_ms, outages.c.end_ms)
            return [tuple(row) for row in connection.execute(query.order_by(outages.c.start_ms, outages.c.ref))]

    def told(self) -> list[tuple[str, bool]]:
        return self.desk.alerts("title", "rings")


def work_on(connection: sa.Connection, kind: str, ref: str, start_ms: int, span_ms: int) -> None:
    window = Window(id=f"{kind}-{ref}", kind=kind, ref=ref, start_ms=start_ms, until_ms=start_ms + span_ms, who="son")
    add_window(connection, window)


def as_it_travels(body: m.Body) -> dict[str, Any]:
    return dataclasses.asdict(body)
