"""The live events over a real server: what arrives, how soon, and what a reader who was away gets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

import httpx
import pytest

from collector.store import desk, live, users
from collector.store.reach import Reach, Spot
from tests.support.clock import FakeClock
from tests.support.duty import NOW_MS, Duty
from tests.support.web_server import serving


class Events(threading.Thread):
    """Reads the stream into a queue of (id, name, data, seconds on the monotonic clock)."""

    def __init__(self, address: str, token: str, last: int | None = None, path: str = "/api/v1/live") -> None:
        super().__init__(name="events", daemon=True)
        self.path = path
        self.queue: Queue[tuple[int, str, dict, float]] = Queue()
        self.listening = threading.Event()
        self.ended = threading.Event()
        headers = {"authorization": f"Bearer {token}"} | ({} if last is None else {"last-event-id": str(last)})
        self._client = httpx.Client(base_url=address, headers=headers, timeout=30)

    def run(self) -> None:
        try:
            with self._client.stream("GET", self.path) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                fields: dict[str, str] = {}
                for line in answer.iter_lines():
                    if line.startswith(": here"):
                        self.listening.set()
                    elif line:
                        name, _, value = line.partition(": ")
                        fields[name] = value
                    elif "event" in fields:
                        number = int(fields.get("id", 0))
                        self.queue.put((number, fields["event"], json.loads(fields["data"]), time.monotonic()))
                        fields = {}
        except httpx.TransportError:
            pass  # the server ended
        finally:
            self.ended.set()

    def next(self, name: str, within_s: float = 5.0) -> tuple[int, dict, float]:
        """The next event of this name."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                number, event, data, at_s = self.queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {name} within {within_s} s") from None
            if event == name:
                return number, data, at_s

    def names_so_far(self) -> list[str]:
        return [self.queue.get_nowait()[1] for _ in range(self.queue.qsize())]


@contextmanager
def listening(address: str, token: str, last: int | None = None, path: str = "/api/v1/live") -> Iterator[Events]:
    events = Events(address, token, last, path)
    events.start()
    assert events.listening.wait(5)
    yield events
    events._client.close()


@pytest.fixture
def address(duty: Duty, shift: list[str], clock: FakeClock) -> Iterator[str]:
    with serving(duty, clock) as address:
        yield address


def test_an_episode_arrives_whole_within_half_a_second_of_its_commit(duty, address):
    delays = []
    with listening(address, duty.token("officer")) as events:
        for number in range(8):
            started = time.monotonic()
            episode = duty.started("nga-ba-cho", "duong-lon", NOW_MS + number)
            _, data, at_s = events.next("episode")
            delays.append(at_s - started)
            assert data["id"] == episode
            assert data["camera"] == "nga-ba-cho/duong-lon"
            assert data["start"].startswith("2026-09-21T14:13:20.00")
            assert data["end"] is None
    assert sorted(delays)[len(delays) // 2] < 0.5


def test_incident_clip_alert_and_box_are_told_by_their_own_names(duty, address, shift):
    with listening(address, duty.token("administrator")) as events:
        duty.standing("box", "tram-y-te", "up", NOW_MS)
        assert events.next("box")[1]["state"] == "up"
        with duty.database.write() as connection:
            desk.acknowledge(connection, shift[0], "minh", NOW_MS)
        incident = events.next("incident")[1]
        assert (incident["id"], incident["owner"], incident["waiting"]) == (shift[0], "minh", 2)
        clip = duty.announced("nga-ba-cho", "duong-lon", incident["episodes"][0]["id"], NOW_MS, b"x" * 50)
        told = events.next("clip")[1]
        assert (told["id"], told["state"], told["incident"]) == (clip, "announced", shift[0])


def test_a_reader_who_was_away_catches_up_from_the_last_event_it_saw(duty, address):
    token = duty.token("officer")
    with listening(address, token) as events:
        duty.started("nga-ba-cho", "duong-lon", NOW_MS)
        last = events.next("episode")[0]
    missed = [duty.started("nga-ba-cho", "duong-lon", NOW_MS + 1 + number) for number in range(3)]
    with listening(address, token, last) as events:
        assert [events.next("episode")[1]["id"] for _ in missed] == missed
        after = duty.started("nga-ba-cho", "duong-lon", NOW_MS + 9)
        assert events.next("episode")[1]["id"] == after
        assert "reset" not in events.names_so_far()


def test_what_happens_between_drawing_a_page_and_listening_is_told_first(duty, address):
    token = duty.token("officer")
    with duty.database.read() as connection:
        drawn = live.newest_change(connection)
    episode = duty.started("nga-ba-cho", "duong-lon", NOW_MS)
    with listening(address, token, path=f"/api/v1/live?since={drawn}") as events:
        assert events.next("episode")[1]["id"] == episode


def test_a_reader_whose_place_has_been_pruned_is_told_to_begin_anew(duty, address):
    with duty.database.write() as connection:
        newest = live.newest_change(connection)
        assert live.prune_changes(connection, NOW_MS + 1) > 0
    duty.started("nga-ba-cho", "duong-lon", NOW_MS)
    duty.started("nga-ba-cho", "duong-lon", NOW_MS + 1)
    with listening(address, duty.token("officer"), newest - 5) as events:
        events.next("reset")
    with listening(address, duty.token("officer", "2"), 10**12) as events:
        events.next("reset")  # a number from another database


def test_a_technician_hears_of_boxes_and_not_of_incidents(duty, address, shift):
    with listening(address, duty.token("technician")) as events:
        with duty.database.write() as connection:
            desk.acknowledge(connection, shift[0], "minh", NOW_MS)
        duty.started("nga-ba-cho", "duong-lon", NOW_MS)
        duty.standing("box", "tram-y-te", "up", NOW_MS)
        events.next("box")
        assert "incident" not in events.names_so_far()


def test_two_hundred_changes_at_once_reach_every_reader(duty, address):
    token = duty.token("officer")
    with listening(address, token) as one, listening(address, token) as other:
        made = [duty.new_id() for _ in range(300)]
        with duty.database.write() as connection:
            for incident in made:
                from collector.store.incidents import IncidentSpan, open_incident

                span = IncidentSpan(
                    id=incident, start_ms=NOW_MS, last_ms=NOW_MS, state="new", severity="normal", rule="x"
                )
                open_incident(connection, span, "nga-ba-cho/duong-lon", 0, NOW_MS)
        for events in (one, other):
            assert [events.next("incident", 15)[1]["id"] for _ in made] == made


def test_the_streams_end_when_the_server_stops(duty, shift, clock):
    with serving(duty, clock) as address:
        events = Events(address, duty.token("officer"))
        events.start()
        assert events.listening.wait(5)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert events.ended.wait(5)


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 40])
def test_a_last_event_that_is_no_number_is_refused(duty, address, last):
    headers = {"authorization": f"Bearer {duty.token('officer')}", "last-event-id": last}
    answer = httpx.get(f"{address}/api/v1/live", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["where"] == "Last-Event-ID"


def test_a_reader_hears_only_of_their_own_commune_and_counts_only_what_waits_there(duty, address):
    duty.box("nha-rong-09", "Nhà rông", ("san",), commune="Xã Tân Lập")
    with duty.database.write() as connection:
        standing = users.Standing(Reach((Spot("Xã Tân Lập"),)))
        users.add_user(connection, "y-moan", "no hash", "officer", duty.now_ms, standing)
        users.add_token(connection, "of-tan-lap", "desk", "y-moan", "officer", duty.now_ms)
    with listening(address, "of-tan-lap") as near, listening(address, duty.token("administrator")) as far:
        elsewhere = duty.started("nga-ba-cho", "duong-lon", NOW_MS)
        duty.incident("nga-ba-cho/duong-lon", elsewhere, start_ms=NOW_MS, last_ms=NOW_MS)
        here = duty.started("nha-rong-09", "san", NOW_MS)
        incident = duty.incident("nha-rong-09/san", here, start_ms=NOW_MS, last_ms=NOW_MS)
        assert far.next("episode")[1]["id"] == elsewhere
        while (told := far.next("incident")[1])["id"] != incident:
            pass
        assert told["waiting"] == 5
        assert near.next("episode")[1]["id"] == here
        _, told, _ = near.next("incident")
        assert (told["id"], told["waiting"]) == (incident, 1)
        assert near.names_so_far() == []


def test_a_reach_that_changes_holds_from_the_next_beat_for_who_listens_already(duty, address):
    duty.box("nha-rong-09", "Nhà rông", ("san",), commune="Xã Tân Lập")
    with duty.database.write() as connection:
        users.add_user(connection, "y-moan", "no hash", "officer", duty.now_ms)
        users.add_token(connection, "of-tan-lap", "desk", "y-moan", "officer", duty.now_ms)
    with listening(address, "of-tan-lap") as events:
        elsewhere = duty.started("nga-ba-cho", "duong-lon", NOW_MS)
        assert events.next("episode")[1]["id"] == elsewhere
        with duty.database.write() as connection:
            standing = users.Standing(Reach((Spot("Xã Tân Lập"),)))
            users.change_user(connection, "y-moan", "officer", standing)
        events.next("beat", within_s=15)
        duty.started("nga-ba-cho", "duong-lon", NOW_MS + 1)
        here = duty.started("nha-rong-09", "san", NOW_MS + 2)
        assert events.next("episode")[1]["id"] == here


def test_beats_come_however_much_happens_and_whoever_may_not_listen_any_more_is_told(duty, address, monkeypatch):
    monkeypatch.setattr("collector.web.live.BEAT_S", 0.5)
    duty.box("nha-rong-09", "Nhà rông", ("san",), commune="Xã Tân Lập")
    with duty.database.write() as connection:
        standing = users.Standing(Reach((Spot("Xã Tân Lập"),)))
        users.add_user(connection, "y-moan", "no hash", "officer", duty.now_ms, standing)
        users.add_token(connection, "of-tan-lap", "desk", "y-moan", "officer", duty.now_ms)
    stop = threading.Event()

    def elsewhere() -> None:
        number = 0
        while not stop.wait(0.1):
            number += 1
            duty.started("nga-ba-cho", "duong-lon", NOW_MS + number)

    busy = threading.Thread(target=elsewhere)
    with listening(address, "of-tan-lap") as events:
        busy.start()
        try:
            events.next("beat", within_s=3)
            events.next("beat", within_s=3)
            with duty.database.write() as connection:
                users.remove_token(connection, "desk")
            events.next("signed_out", within_s=3)
        finally:
            stop.set()
            busy.join()
