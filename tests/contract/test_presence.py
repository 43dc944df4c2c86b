"""From heartbeats and events to what is missing of a box: through the intake and the store to the report."""

import dataclasses
from pathlib import Path

import pytest

from collector.fleet.completeness import Missing, Where
from collector.fleet.report import BoxReport, report_of
from collector.ingest.intake import Arrived
from tests.support import messages as sample
from tests.support.collector import NOW_MS, Station, envelope, topic_of
from vonggac.wire import codec
from vonggac.wire import messages as m

NEW = "01890a5d-0000-7000-8000-00000000000b"
BIRTH = next(body for body in sample.BODIES if isinstance(body, m.Birth))
BEAT = next(body for body in sample.BODIES if isinstance(body, m.Heartbeat))
STATE = next(body for body in sample.BODIES if isinstance(body, m.CameraState))
HOUR = 3_600_000


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path, sample.BOX)


def beat(
    at_ms: int,
    waiting: tuple[tuple[int, int], ...] | None,
    last_seq: int,
    *,
    outbox: str = sample.OUTBOX,
    began: int = 0,
) -> Arrived:
    """A heartbeat made and received at `at_ms` after NOW_MS by a run that began at `began`."""
    body = dataclasses.replace(
        BEAT,
        interval_s=30.0,
        host=dataclasses.replace(BEAT.host, run_began_mono_ms=began),
        outbox=dataclasses.replace(BEAT.outbox, outbox=outbox, waiting=waiting, last_seq=last_seq),
    )
    message = dataclasses.replace(envelope(body), mono_ms=at_ms, wall_ms=NOW_MS + at_ms, clock="synced")
    return Arrived(topic_of(body), codec.encode(message), False, NOW_MS + at_ms)


def event(seq: int, outbox: str = sample.OUTBOX, body: m.Body | None = None) -> Arrived:
    body = body or m.DataLost(what="snapshot", reason="room")
    message = envelope(body, seq, outbox=outbox, id=f"{outbox[:-12]}{seq:04d}{outbox[-8:]}")
    return Arrived(topic_of(body), codec.encode(message), False, NOW_MS)


def report(station: Station, since_ms: int = -HOUR, until_ms: int = HOUR) -> BoxReport:
    with station.database.read() as connection:
        return report_of(connection, sample.BOX, NOW_MS + since_ms, NOW_MS + until_ms)


def birth() -> Arrived:
    return Arrived(topic_of(BIRTH), codec.encode(envelope(BIRTH)), False, NOW_MS)


def test_numbers_are_told_apart_by_what_the_box_says(station: Station) -> None:
    station.intake.take([birth(), event(1), event(2), event(6), beat(1000, ((4, 5), (7, 9)), 9)])
    assert report(station).completeness.missing == (
        Missing(sample.OUTBOX, 3, 3, Where.HOLE),
        Missing(sample.OUTBOX, 4, 5, Where.ON_ITS_WAY),
        Missing(sample.OUTBOX, 7, 9, Where.ON_ITS_WAY),
    )


def test_what_arrives_is_missing_no_more(station: Station) -> None:
    station.intake.take([birth(), event(1), beat(1000, ((2, 2),), 2), event(2)])
    assert report(station).completeness.missing == ()


def test_a_card_that_is_gone_leaves_holes_up_to_its_last_word(station: Station) -> None:
    station.intake.take([birth(), event(1), event(3), beat(1000, ((2, 2), (4, 6)), 6)])
    station.intake.take([event(1, NEW), beat(31_000, (), 1, outbox=NEW)])
    assert report(station).completeness.missing == (
        Missing(sample.OUTBOX, 2, 2, Where.HOLE),
        Missing(sample.OUTBOX, 4, 6, Where.HOLE),
    )


def test_events_of_a_new_card_before_its_first_heartbeat_are_on_their_way(station: Station) -> None:
    station.intake.take([birth(), event(1), beat(-5000, (), 1), event(2, NEW)])
    assert report(station).completeness.missing == (Missing(NEW, 1, 1, Where.ON_ITS_WAY),)


def test_ranges_that_make_no_sense_crash_nothing(station: Station) -> None:
    station.intake.take([birth(), event(3), beat(1000, ((9, 2), (-5, 1), (1, 1), (2, 400)), 3)])
    assert [each.where for each in report(station).completeness.missing] == [Where.ON_ITS_WAY] * 2


def test_a_silence_is_kept_when_the_box_is_heard_again(station: Station) -> None:
    station.intake.take([birth(), beat(0, (), 1), beat(30_000, (), 1), beat(900_000, (), 1)])
    station.intake.take([beat(960_000, (), 1, began=940_000)])
    found = report(station, since_ms=0)
    assert [(each.from_ms - NOW_MS, each.until_ms - NOW_MS, each.kind) for each in found.silences] == [
        (30_000, 900_000, "link"),
        (900_000, 940_000, "off"),
    ]
    gaps = [(gap.from_ms - NOW_MS, gap.until_ms - NOW_MS, gap.kind) for gap in found.cameras[0].gaps]
    assert gaps == [(900_000, 940_000, "off"), (960_000, HOUR, "unheard")]


def test_a_camera_without_a_picture_is_a_gap_also_when_it_began_before_the_window(station: Station) -> None:
    down = dataclasses.replace(STATE, state="down", reason="timeout", since_ms=NOW_MS - 2 * HOUR)
    up = dataclasses.replace(STATE, state="up", reason=None, since_ms=NOW_MS + 60_000)
    station.intake.take([birth(), event(1, body=down), event(2, body=up), beat(HOUR - 1000, (), 2)])
    found = {camera.name: camera for camera in report(station).cameras}[STATE.camera]
    assert [(gap.from_ms, gap.until_ms, gap.kind, gap.reason) for gap in found.gaps] == [
        (NOW_MS - HOUR, NOW_MS + 60_000, "no_picture", "timeout")
    ]
    assert sum(missing for _, missing in found.hours) == HOUR + 60_000


def test_a_box_that_was_never_heard_is_not_judged(station: Station) -> None:
    found = report(station)
    assert (found.heard_ms, found.cameras, found.silences) == (None, (), ())
