"""Clips go up whole over a bad road, resume where the server stands, and are done only by their receipt."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import requests

from edge_agent.outbox.items import ClipClass
from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.errors import ItemRefused, UplinkRefused, UplinkUnavailable, UploadExpired
from edge_agent.uplink.shaping import LARGEST_CHUNK_BYTES, SMALLEST_CHUNK_BYTES, TokenBucket, next_chunk_bytes
from edge_agent.uplink.tus import UploadServer, judge, retry_after_s
from edge_agent.uplink.upload import Uploader
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, clip_file
from tests.support.tus_server import Answer, TusServer
from vonggac.daemon.threads import Stop
from vonggac.wire.messages import Receipt

MIB = 1024 * 1024


class Site:
    """A box with its outbox and uploader, and a server that answers whole clips with a receipt unless told not to."""

    def __init__(self, folder: Path) -> None:
        self.server = TusServer()
        self.clock = FakeClock()
        self.folder = folder
        self.outbox = Outbox(folder, self.clock, BOX)
        self.with_receipts = True
        self.server.on_stored = self.receipt
        self.sha256: dict[str, str] = {}
        self.stop = Stop()
        self.kbps: int | None = None
        self.uploader = self.new_uploader()

    def new_uploader(self, url: str | None = None) -> Uploader:
        server = UploadServer(url or self.server.url, BOX, "secret")
        return Uploader(self.outbox, server, self.clock, self.stop, lambda: self.kbps, rng=random.Random(1))

    def put(self, number: int, size_bytes: int = 1000, clip_class: ClipClass = ClipClass.NORMAL) -> bytes:
        body, path = clip_file(self.folder, number, size_bytes)
        self.sha256[body.clip] = body.sha256
        self.outbox.put_clip(body, path, clip_class)
        return path.read_bytes()

    def receipt(self, clip: str) -> None:
        if self.with_receipts:
            self.outbox.receipt(Receipt(clips=(self.sha256[clip],)))

    def turn_for(self, seconds: float) -> None:
        until = self.clock.mono_ms() + seconds * 1000
        while self.clock.mono_ms() < until:
            self.clock.advance(1000 * max(0.01, self.uploader.advance()))

    def turn_until_delivered(self, longest_s: float = 600) -> None:
        until = self.clock.mono_ms() + longest_s * 1000
        while self.outbox.stats().clips:
            assert self.clock.mono_ms() < until, "clips were never delivered"
            self.clock.advance(1000 * max(0.01, self.uploader.advance()))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.outbox.close()
    site.server.close()


def test_a_clip_goes_up_whole_in_chunks_and_is_delivered_by_its_receipt(site: Site) -> None:
    data = site.put(1, 3 * MIB + 17)
    site.turn_until_delivered()
    assert site.server.stored == {an_id(1): data}
    assert site.server.methods().count("PATCH") >= 4
    assert site.server.logins == {f"{BOX}:secret"}
    assert site.uploader.counters.bytes_sent == len(data)
    upload = next(iter(site.server.uploads.values()))
    assert upload.metadata["sha256"] == site.sha256[an_id(1)]
    assert upload.metadata["camera"] == "gate"


def test_a_cut_in_mid_chunk_resumes_where_the_server_stands(site: Site) -> None:
    data = site.put(1, 2 * MIB)
    cuts = iter([100_000, 0, 70_000])

    def cut(method: str, _: str) -> Answer | None:
        return Answer(cut_after=next(cuts, None)) if method == "PATCH" and cuts.__length_hint__() else None

    site.server.temper = cut
    site.turn_until_delivered()
    assert site.server.stored[an_id(1)] == data
    assert site.server.bytes_received == len(data)


def test_an_upload_goes_on_after_the_agent_was_started_again(site: Site) -> None:
    data = site.put(1, 2 * MIB)
    site.server.temper = lambda method, _: Answer(503) if site.server.bytes_received and method == "PATCH" else None
    site.turn_for(3)
    assert 0 < site.server.bytes_received < len(data)
    site.server.temper = lambda *_: None
    site.uploader = site.new_uploader()
    site.turn_until_delivered()
    assert site.server.methods().count("POST") == 1
    assert site.server.bytes_received == len(data)


def test_in_hours_without_leave_a_clip_waits_where_it_stands_and_goes_on_afterwards(site: Site) -> None:
    data = site.put(1, 2 * MIB)
    site.kbps = 0
    site.turn_for(30)
    assert site.server.methods() == []

    def end_the_hour(method: str, _: str) -> None:
        if method == "PATCH" and site.server.bytes_received:
            site.kbps = 0

    site.server.temper = end_the_hour
    site.kbps = None
    site.turn_for(30)
    assert 0 < site.server.bytes_received < len(data)
    site.server.temper = lambda *_: None
    site.kbps = None
    site.turn_until_delivered()
    assert site.server.stored[an_id(1)] == data


def test_a_lost_upload_begins_anew(site: Site) -> None:
    data = site.put(1, 2 * MIB)
    site.server.temper = lambda method, _: Answer(503) if site.server.bytes_received and method == "PATCH" else None
    site.turn_for(3)
    site.server.uploads.clear()
    site.server.temper = lambda *_: None
    site.turn_until_delivered()
    assert site.server.stored[an_id(1)] == data


def test_a_whole_upload_without_a_receipt_is_asked_for_again_but_not_sent_again(site: Site) -> None:
    data = site.put(1, 1000)
    site.with_receipts = False
    site.turn_for(120)
    assert site.outbox.stats().clips == 1
    assert site.server.bytes_received == len(data)
    asked = site.server.methods().count("POST")
    assert 2 <= asked <= 5
    site.with_receipts = True
    site.turn_until_delivered()
    assert site.server.bytes_received == len(data)


def test_a_clip_that_the_server_will_never_take_is_parked_and_blocks_nothing(site: Site) -> None:
    site.put(1, clip_class=ClipClass.ALERT)
    good = site.put(2)
    bad_uploads: list[str] = []

    def refuse(method: str, path: str) -> Answer | None:
        upload = site.server.uploads.get(path)
        if upload is not None and upload.metadata["clip"] == an_id(1):
            bad_uploads.append(path)
            return Answer(422)
        return None

    site.server.temper = refuse
    site.turn_for(60)
    assert site.server.stored == {an_id(2): good}
    (parked,) = site.outbox.parked()
    assert (parked.kind, parked.key, parked.reason) == ("clip", an_id(1), "HTTP 422 Unprocessable Entity")
    assert len(set(bad_uploads)) == 3
    site.server.temper = lambda *_: None
    site.outbox.unpark_all()
    site.turn_until_delivered()


def test_a_clip_on_which_the_server_fails_each_time_blocks_nothing(site: Site) -> None:
    site.put(1, clip_class=ClipClass.ALERT)
    good = site.put(2)

    def fail(_: str, path: str) -> Answer | None:
        upload = site.server.uploads.get(path)
        return Answer(500) if upload is not None and upload.metadata["clip"] == an_id(1) else None

    site.server.temper = fail
    site.turn_for(60)
    assert site.server.stored == {an_id(2): good}
    assert site.outbox.parked() == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_parks_nothing_and_is_tried_rarely(site: Site, status: int) -> None:
    site.put(1)
    site.server.temper = lambda *_: Answer(status)
    site.turn_for(300)
    assert len(site.server.requests) <= 25
    assert site.outbox.parked() == []
    site.server.temper = lambda *_: None
    site.turn_until_delivered()


def test_a_full_server_is_left_alone_for_as_long_as_it_asks(site: Site) -> None:
    site.put(1)
    site.server.temper = lambda *_: Answer(507, {"Retry-After": "90"})
    site.turn_for(85)
    assert len(site.server.requests) == 1
    site.server.temper = lambda *_: None
    site.turn_until_delivered()


def test_a_location_on_another_server_never_gets_the_secret(site: Site) -> None:
    site.put(1)
    other = TusServer()
    site.server.temper = lambda method, _: Answer(201, {"Location": f"{other.url}/1"}) if method == "POST" else None
    site.turn_for(60)
    assert other.requests == []
    assert site.outbox.stats().clips == 1
    other.close()


@pytest.mark.parametrize("offset", ["-1", "99999", "x", "1e3", ""])
def test_an_offset_that_makes_no_sense_is_not_believed(site: Site, offset: str) -> None:
    site.put(1)
    site.server.temper = lambda method, _: Answer(204, {"Upload-Offset": offset}) if method == "PATCH" else None
    site.turn_for(30)
    assert site.outbox.stats().clips == 1
    site.server.temper = lambda *_: None
    site.turn_until_delivered()


def test_a_vanished_file_is_told_and_blocks_nothing(site: Site) -> None:
    site.put(1)
    good = site.put(2)
    clip_file(site.folder, 1)[1].unlink()
    site.turn_until_delivered()
    assert site.server.stored == {an_id(2): good}
    assert site.outbox.stats().last_seq == 3


def test_a_file_that_goes_while_it_is_sent_is_told_and_blocks_nothing(site: Site) -> None:
    site.put(1, 3 * MIB)
    good = site.put(2)
    path = clip_file(site.folder, 1, 3 * MIB)[1]

    def take_away(method: str, at: str) -> Answer | None:
        if method == "PATCH" and site.server.uploads[at].metadata["clip"] == an_id(1):
            path.unlink(missing_ok=True)
        return None

    site.server.temper = take_away
    site.turn_until_delivered()
    assert site.server.stored == {an_id(2): good}
    assert site.outbox.stats().last_seq == 3


@pytest.mark.parametrize(("damage", "told"), [("short", "ends at"), ("unreadable", "Input/output error")])
def test_a_file_that_a_worn_card_does_not_give_is_parked_and_blocks_nothing(
    site: Site, damage: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put(1, 3 * MIB)
    good = site.put(2)
    path = clip_file(site.folder, 1, 3 * MIB)[1]
    if damage == "short":
        os.truncate(path, MIB)
    else:
        opened = Path.open

        def worn(file: Path, *how: str) -> IO[bytes]:
            if file == path:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return opened(file, *how)

        monkeypatch.setattr(Path, "open", worn)
    site.turn_for(600)
    assert site.server.stored == {an_id(2): good}
    (parked,) = site.outbox.parked()
    assert told in parked.reason


def test_the_newest_and_the_oldest_take_turns(site: Site) -> None:
    for number in range(5):
        site.put(number)
    site.turn_until_delivered()
    assert [an_id(n) for n in (0, 4, 1, 3, 2)] == list(site.server.stored)


def test_nobody_listening_is_tried_again_with_growing_waits(site: Site) -> None:
    site.put(1)
    site.uploader = site.new_uploader("http://127.0.0.1:9/uploads")
    site.turn_for(120)
    assert site.uploader.counters.failures <= 12


def test_clips_that_are_gone_are_not_remembered_while_nobody_listens(site: Site) -> None:
    site.uploader = site.new_uploader("http://127.0.0.1:9/uploads")
    for number in range(8):
        site.put(number)
        site.turn_for(40)
        site.outbox.forget_clips([an_id(number)], "no room")
    site.put(8)
    site.turn_for(40)
    assert set(site.uploader._resting) == {an_id(8)}


@pytest.mark.parametrize(
    ("status", "begun", "error"),
    [
        (200, True, None),
        (204, True, None),
        (302, True, UplinkUnavailable),
        (400, True, ItemRefused),
        (401, True, UplinkRefused),
        (403, False, UplinkRefused),
        (404, True, UploadExpired),
        (410, True, UploadExpired),
        (404, False, UplinkUnavailable),
        (409, True, UplinkUnavailable),
        (413, False, ItemRefused),
        (415, True, ItemRefused),
        (423, True, UplinkUnavailable),
        (429, True, UplinkUnavailable),
        (460, True, ItemRefused),
        (500, True, UplinkUnavailable),
        (503, True, UplinkUnavailable),
        (507, False, UplinkUnavailable),
    ],
)
def test_each_status_says_what_to_do(status: int, begun: bool, error: type[Exception] | None) -> None:
    response = requests.Response()
    response.status_code = status
    if error is None:
        judge(response, begun=begun)
    else:
        with pytest.raises(error):
            judge(response, begun=begun)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("30", 30.0),
        ("99999", 600.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text, now_s=100.0) == seconds


def test_the_shape_holds_over_time_and_lets_a_second_burst_through() -> None:
    bucket = TokenBucket(800, 0.0)
    now_ms = sent = 0.0
    for _ in range(200):
        now_ms += bucket.wait_s(16_384, now_ms) * 1000
        sent += 16_384
    assert sent / (now_ms / 1000 + 1) == pytest.approx(100_000, rel=0.01)
    assert TokenBucket(None, 0.0).wait_s(10**9, 0.0) == 0


@pytest.mark.parametrize(
    ("chunk", "took_s", "following"),
    [
        (256 * 1024, 0.1, 512 * 1024),
        (256 * 1024, 4.0, 256 * 1024),
        (256 * 1024, 20.0, 128 * 1024),
        (LARGEST_CHUNK_BYTES, 0.1, LARGEST_CHUNK_BYTES),
        (SMALLEST_CHUNK_BYTES, 60.0, SMALLEST_CHUNK_BYTES),
    ],
)
def test_chunks_take_a_few_seconds_each(chunk: int, took_s: float, following: int) -> None:
    assert next_chunk_bytes(chunk, took_s) == following
