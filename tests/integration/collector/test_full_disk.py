"""A collector's store on a disk of a few megabytes: what does not fit is put off, and nothing half-written stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.fsck import check
from collector.ingest.intake import Arrived, Intake
from collector.store.errors import StoreUnavailable
from edge_agent.outbox.items import WaitingClip
from edge_agent.uplink.errors import UplinkUnavailable
from edge_agent.uplink.tus import TusUpload, UploadServer, open_session
from tests.integration.collector.conftest import Endpoint
from tests.support import messages as sample
from tests.support.collector import JPEG, NOW_MS, SECRET, Station, arrived
from tests.support.databases import sqlite_only
from tests.support.outbox_items import an_id, clip_file
from tests.support.small_disk import MIB, SmallDisk, small_disk
from vonggac.wire import messages as m
from vonggac.wire import topics

SIZE = 3_900_000
EVENTS = [body for body in sample.BODIES if body.sequenced]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        yield disk


@pytest.fixture
def station(disk: SmallDisk) -> Iterator[Station]:
    station = Station(disk.folder)
    yield station
    station.database.close()


def wrong(station: Station) -> list[str]:
    return [finding.text for finding in check(station.database, station.data, NOW_MS, deep=True, running=())]


def big_events(first: int) -> list[Arrived]:
    return [arrived(m.DataLost(what="video", reason="x" * 4000), seq) for seq in range(first, first + 50)]


def took(station: Station, first: int) -> bool:
    try:
        station.intake.take(big_events(first))
    except StoreUnavailable:
        return False
    return True


@sqlite_only
def test_a_disk_without_a_byte_takes_no_event_and_gives_no_receipt_and_later_all_are_taken(
    disk: SmallDisk, station: Station
) -> None:
    disk.leave(0)
    first = 1
    while took(station, first):
        first += 50
    assert station.count("events") == first - 1
    assert not took(station, first)
    assert station.count("events") == first - 1
    disk.empty()
    told = station.intake.take(big_events(first))
    assert {outcome.verdict for outcome in told} == {"stored"}
    assert wrong(station) == []


def test_a_picture_that_does_not_fit_is_asked_for_again_and_leaves_nothing(disk: SmallDisk, station: Station) -> None:
    station.intake.take([arrived(EVENTS[0], 1)])
    disk.leave(50_000)
    picture = JPEG + bytes(60_000)
    topic = topics.snapshot(sample.BOX, sample.EPISODE)
    assert station.intake.handle(topic, picture, False, NOW_MS).verdict == "refused"
    assert not [path for path in station.data.rglob("*") if path.is_file() and path.stat().st_size]
    disk.empty()
    assert station.intake.handle(topic, picture, False, NOW_MS).verdict == "stored"
    assert wrong(station) == []


def test_events_wait_before_the_last_byte_is_taken(disk: SmallDisk, station: Station) -> None:
    intake = Intake(station.database, station.data, reserve_bytes=4 * MIB)
    disk.leave(5 * MIB)
    assert intake.take([arrived(EVENTS[0], 1)])[0].verdict == "stored"
    disk.leave(3 * MIB)
    with pytest.raises(StoreUnavailable, match="bytes are free"):
        intake.take([arrived(EVENTS[1], 2)])
    assert disk.free_bytes() > 2 * MIB


def test_a_box_is_told_to_come_again_later_and_its_clip_then_goes_on_where_it_was(
    disk: SmallDisk, station: Station, tmp_path: Path
) -> None:
    endpoint = Endpoint(station, reserve_bytes=6 * MIB)
    body, path = clip_file(tmp_path, 1, SIZE)
    clip = WaitingClip(body.clip, an_id(2), "gate", 1, body.sha256, body.size_bytes, path, None)
    server = UploadServer(endpoint.url, sample.BOX, SECRET)
    upload = TusUpload(server, open_session(server), clip, lambda most: most)
    try:
        disk.leave(11 * MIB)
        upload.begin()
        upload.send_chunk(MIB)
        disk.leave(6 * MIB)
        with pytest.raises(UplinkUnavailable) as caught:
            upload.send_chunk(2 * MIB)
        assert caught.value.after_s == 60
        with pytest.raises(UplinkUnavailable) as caught:
            TusUpload(server, open_session(server), clip_of(tmp_path, 3), lambda most: most).begin()
        assert caught.value.after_s == 60
        disk.empty()
        upload.resume(upload.path)
        assert MIB <= upload.offset < 3 * MIB
        while not upload.is_complete():
            upload.send_chunk(MIB)
    finally:
        endpoint.close()
    assert endpoint.owed == [(sample.BOX, body.sha256)]
    assert wrong(station) == []


def clip_of(folder: Path, number: int) -> WaitingClip:
    body, path = clip_file(folder, number, SIZE)
    return WaitingClip(body.clip, an_id(number + 9), "gate", number, body.sha256, body.size_bytes, path, None)
