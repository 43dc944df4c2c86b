"""What one box that is let in may say at worst: it costs that message, and no other box, page or part anything."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from collector.alerts.bell import Bell
from collector.alerts.channels.screen import ScreenChannel
from collector.alerts.delivery import Delivery
from collector.alerts.incidents import Grouping
from collector.alerts.loop import RulesLoop
from collector.fleet.telling import Telling
from collector.fleet.watch import FleetWatch
from collector.ingest.intake import Arrived
from collector.store import ledger, users
from collector.web.app import build_app
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import NOW_MS, Station, arrived
from tests.support.duty import QUICK_PASSWORDS
from tests.support.web_server import VIETNAM
from vonggac.wire import codec
from vonggac.wire import messages as m
from vonggac.wire.ids import uuid7

OTHER = "tram-y-te-02"
DAY_MS = 86_400_000
UP = [body for body in sample.BODIES if not isinstance(body, m.Receipt | m.Command)]
EVENT = next(body for body in sample.BODIES if isinstance(body, m.EpisodeStarted))
STATE = next(body for body in sample.BODIES if isinstance(body, m.CameraState))
PAGES = (
    "/", "/boxes", f"/boxes/{sample.BOX}", "/search", "/cameras", "/map", "/outages", "/availability", "/updates",
    "/metrics", "/api/v1/boxes", "/api/v1/cameras", "/api/v1/episodes", "/api/v1/incidents", "/api/v1/gaps",
    "/api/v1/outages", "/api/v1/availability", f"/api/v1/cameras/{sample.BOX}/gate/day",
)  # fmt: skip


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path, sample.BOX, OTHER)


def spoilt(raw: str, *, in_envelope: bool, name: str) -> Arrived:
    """A sound event in which the field `name` holds this JSON."""
    message = arrived(EVENT, 7)
    fields = json.loads(message.payload)
    (fields if in_envelope else fields["body"])[name] = "@"
    return Arrived(message.topic, json.dumps(fields).replace('"@"', raw).encode(), False, NOW_MS)


@pytest.mark.parametrize("raw", [r'"\ud800"', r'"x\udfff"', r'"\u0000"', "1e999", "[-1e999]", "1" + "0" * 400])
@pytest.mark.parametrize(("in_envelope", "name"), [(True, "type"), (True, "later"), (False, "later"), (False, "kind")])
def test_an_event_that_no_database_can_hold_costs_nobody_else_anything(
    station: Station, raw: str, in_envelope: bool, name: str
) -> None:
    outcomes = station.intake.take([spoilt(raw, in_envelope=in_envelope, name=name), arrived(STATE, 1, box=OTHER)])
    assert (outcomes[0].seq, outcomes[1].verdict) == (7, "stored")
    with station.database.write() as connection:
        assert ledger.prune_events(connection, NOW_MS + DAY_MS) == 2, "what came can be forgotten again"


def whole_numbers(fields: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a message whole numbers stand."""
    if isinstance(fields, dict | list):
        for key, value in fields.items() if isinstance(fields, dict) else enumerate(fields):
            yield from whole_numbers(value, (*path, key))
    elif isinstance(fields, int) and not isinstance(fields, bool):
        yield path


def with_numbers(message: Arrived, number: int, numbers: dict[tuple[Any, ...], int], clock: str) -> Arrived:
    """A message of its own, with these numbers."""
    fields = json.loads(message.payload)
    for path, value in numbers.items():
        place = fields
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    own = uuid7(NOW_MS + number, bytes(10))
    fields |= {"id": own, "boot_id": own, "clock": clock} | ({"seq": number} if fields["seq"] is not None else {})
    for name in {"episode", "clip"} & fields["body"].keys():
        fields["body"][name] = own
    return Arrived(message.topic, json.dumps(fields).encode(), False, NOW_MS)


def extremes(body: m.Body) -> Iterator[tuple[dict[tuple[Any, ...], int], str]]:
    """Each number at its ends, and the times of the envelope with each other time at theirs."""
    paths = [path for path in whole_numbers(json.loads(arrived(body).payload)) if path[0] not in ("v", "seq")]
    times = [path for path in paths if str(path[-1]).endswith("_ms")]
    ends = (0, codec.LATEST_MS)
    for clock in ("synced", "holdover", "unset"):
        for path in paths:
            for value in (0, codec.LATEST_MS, codec.MAX_INT):
                yield {path: value}, clock
        for values in itertools.product(ends, repeat=3):
            yield dict.fromkeys(times, values[2]) | {("wall_ms",): values[0], ("mono_ms",): values[1]}, clock


@pytest.mark.parametrize("body", UP, ids=lambda body: body.type)
def test_whatever_times_a_box_tells_alerts_go_on_and_every_page_opens(station: Station, body: m.Body) -> None:
    message = arrived(body)
    told = [with_numbers(message, at, numbers, clock) for at, (numbers, clock) in enumerate(extremes(body), 1)]
    station.intake.take([arrived(UP[0]), *told])
    database = station.database
    rules = RulesLoop(database, (), Grouping(), VIETNAM.zone, Bell())
    while rules.step(NOW_MS):
        pass
    rules.escalate(NOW_MS)
    delivery = Delivery(database, ScreenChannel(), lambda _episode: None, VIETNAM.zone, None)
    while delivery.step(lambda: NOW_MS):
        pass
    fleet = FleetWatch(database, Telling((), VIETNAM.zone, None), Bell(), lambda: True)
    for after_ms in (0, DAY_MS):
        fleet.step(NOW_MS + after_ms, float(after_ms))
    with database.write() as connection:
        users.add_user(connection, "thu", "no hash", "administrator", NOW_MS)
        users.add_token(connection, "token", "test", "thu", "administrator", NOW_MS)
    app = build_app(database, station.data, VIETNAM, None, FakeClock(NOW_MS + DAY_MS), passwords=QUICK_PASSWORDS)
    reader = TestClient(app, headers={"authorization": "Bearer token"}, follow_redirects=False)
    assert {page: reader.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)
