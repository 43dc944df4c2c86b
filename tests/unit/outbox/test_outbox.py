"""The outbox keeps what it took and lets go on receipts alone."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.outbox.errors import OutboxInUse
from edge_agent.outbox.items import ClipClass, NewSnapshot
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event, clip_file, episode_started
from vonggac.wire.codec import decode
from vonggac.wire.messages import Body, CameraState, DataLost, Heartbeat, Receipt

MAX = 2**63 - 1


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    yield outbox
    outbox.close()


def reopened(outbox: Outbox) -> Outbox:
    outbox.close()
    return Outbox(outbox.folder, FakeClock(), BOX)


def seqs(outbox: Outbox) -> list[int]:
    return [event.seq for event in outbox.next_events(100_000)]


def test_numbers_begin_at_one_and_go_on_after_receipts_and_reopening(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    assert [outbox.put_event(camera_event()).seq for _ in range(3)] == [1, 2, 3]
    outbox.receipt(Receipt(outbox=outbox.id, ranges=((1, 3),)))
    assert seqs(outbox) == []
    outbox.close()
    again = Outbox(outbox.folder, FakeClock(), BOX)
    assert again.put_event(camera_event()).seq == 4
    assert again.id == outbox.id
    again.close()


def test_the_stored_bytes_are_the_envelope_that_was_returned(outbox: Outbox) -> None:
    envelope = outbox.put_event(episode_started(1))
    assert decode(outbox.next_events(1)[0].message) == envelope
    assert (envelope.seq, envelope.outbox, envelope.box) == (1, outbox.id, BOX)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (DataLost(what="video", reason="x" * 70_000), "the wire takes 65536"),
        (DataLost(what="video", reason="x" * 5_000), "reason: must be text of at most 4096"),
        (DataLost(what="video", reason="?", size_bytes=-1), "size_bytes: must not be negative"),
        (CameraState(camera="../etc", state="up", since_ms=0), "camera: is no camera name"),
    ],
)
def test_what_no_reader_of_the_wire_takes_enters_not_at_all_nor_what_was_put_with_it(
    outbox: Outbox, body: Body, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        outbox.put_events([camera_event(), body])
    assert seqs(outbox) == []
    assert outbox.put_event(camera_event()).seq == 1


def test_a_body_without_a_number_is_refused(outbox: Outbox) -> None:
    heartbeat = Heartbeat(interval_s=30, cameras=(), host=None, outbox=outbox.stats())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="heartbeat carries no number"):
        outbox.put_event(heartbeat)


@pytest.mark.parametrize("jpeg", [b"", b"GIF89a", b"\xff\xd8\xff" * 13654])
def test_a_snapshot_that_the_collector_would_not_take_is_refused(outbox: Outbox, jpeg: bytes) -> None:
    with pytest.raises(ValueError, match="is no JPEG of at most 40960"):
        outbox.put_events([], [NewSnapshot(an_id(1), jpeg)])


def test_a_snapshot_is_queued_with_the_event_that_names_it(outbox: Outbox) -> None:
    outbox.put_event(camera_event())
    jpeg = b"\xff\xd8\xffpicture" * 100
    outbox.put_events([episode_started(1, jpeg), camera_event()], [NewSnapshot(an_id(1), jpeg)])
    (snapshot,) = outbox.next_snapshots(10)
    assert (snapshot.seq, snapshot.episode, snapshot.jpeg) == (2, an_id(1), jpeg)
    outbox.receipt(Receipt(snapshots=(hashlib.sha256(jpeg).hexdigest(),)))
    assert outbox.next_snapshots(10) == []


@pytest.mark.parametrize(
    ("ranges", "left"),
    [
        (((1, 1),), [2, 3, 4, 5]),
        (((2, 3), (5, 5)), [1, 4]),
        (((3, 2),), [1, 2, 3, 4, 5]),
        (((0, 5),), []),
        (((-MAX, 2),), [3, 4, 5]),
        (((1, 6),), [1, 2, 3, 4, 5]),
        (((1, MAX),), [1, 2, 3, 4, 5]),
        (((1, 2), (1, 2), (2, 4)), [5]),
    ],
)
def test_receipts_let_go_of_exactly_their_ranges(
    outbox: Outbox, ranges: tuple[tuple[int, int], ...], left: list[int]
) -> None:
    outbox.put_events([camera_event()] * 5)
    outbox.receipt(Receipt(outbox=outbox.id, ranges=ranges))
    assert seqs(outbox) == left
    assert outbox.refused_receipts == (1 if max(last for _, last in ranges) > 5 else 0)


@pytest.mark.parametrize("of", [None, an_id(7)])
def test_a_receipt_for_another_outbox_lets_go_of_nothing(outbox: Outbox, of: str | None) -> None:
    outbox.put_events([camera_event()] * 2)
    outbox.receipt(Receipt(outbox=of, ranges=((1, 2),)))
    assert seqs(outbox) == [1, 2]
    assert outbox.refused_receipts == 1


def test_a_clip_and_its_event_enter_together_and_the_file_stays_after_its_receipt(outbox: Outbox) -> None:
    body, path = clip_file(outbox.folder, 1)
    envelope = outbox.put_clip(body, path)
    clip = outbox.next_clip()
    assert clip is not None
    assert (clip.clip, clip.path, clip.seq) == (body.clip, path, envelope.seq)
    outbox.receipt(Receipt(clips=(body.sha256,)))
    assert outbox.next_clip() is None
    assert path.exists()
    assert outbox.kept_clips()[0].state == "delivered"
    assert outbox.stats().clips == 0


def test_a_clip_is_refused_twice_of_another_size_or_outside_the_folder(outbox: Outbox, tmp_path: Path) -> None:
    body, path = clip_file(outbox.folder, 1)
    outbox.put_clip(body, path)
    with pytest.raises(ValueError, match="is in the outbox already"):
        outbox.put_clip(body, path)
    other, other_path = clip_file(outbox.folder, 2)
    other_path.write_bytes(b"short")
    with pytest.raises(ValueError, match="has 5 bytes, its clip_ready says 1000"):
        outbox.put_clip(other, other_path)
    outside, outside_path = clip_file(tmp_path.parent, 3)
    with pytest.raises(ValueError, match="is not beneath the data folder"):
        outbox.put_clip(outside, outside_path)
    assert outbox.stats().last_seq == 1


def test_clips_go_by_class_then_age_or_newest_first(outbox: Outbox) -> None:
    for number, clip_class in enumerate([ClipClass.ROUTINE, ClipClass.ALERT, ClipClass.NORMAL, ClipClass.ALERT]):
        outbox.put_clip(*clip_file(outbox.folder, number), clip_class)

    def order(newest: bool) -> list[str]:
        found: list[str] = []
        while clip := outbox.next_clip(found, newest=newest):
            found.append(clip.clip)
        return found

    assert order(newest=False) == [an_id(n) for n in (1, 3, 2, 0)]
    assert order(newest=True) == [an_id(n) for n in (3, 1, 2, 0)]


def test_an_upload_url_is_remembered_over_reopening(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    outbox.put_clip(*clip_file(tmp_path, 1))
    outbox.note_upload(an_id(1), "/uploads/7")
    outbox = reopened(outbox)
    clip = outbox.next_clip()
    assert clip is not None
    assert clip.upload_url == "/uploads/7"
    outbox.close()


def test_parked_items_are_out_of_the_way_until_tried_again(outbox: Outbox) -> None:
    outbox.put_events([camera_event()] * 2)
    outbox.put_events([], [NewSnapshot(an_id(1), b"\xff\xd8\xffjpeg")])
    sha256 = outbox.next_snapshots(1)[0].sha256
    outbox.put_clip(*clip_file(outbox.folder, 1))
    outbox.park("event", "1", "HTTP 400")
    outbox.park("snapshot", sha256, "too odd")
    outbox.park("clip", an_id(1), "HTTP 415")
    assert seqs(outbox) == [2, 3]
    assert outbox.next_snapshots(5) == []
    assert outbox.next_clip() is None
    assert {(item.kind, item.key) for item in outbox.parked()} == {
        ("event", "1"),
        ("snapshot", sha256),
        ("clip", an_id(1)),
    }
    assert outbox.stats().parked == 3
    assert [(each.kind, each.key, each.reason) for each in outbox.stats().refused] == [
        ("event", "1", "HTTP 400"),
        ("snapshot", sha256, "too odd"),
        ("clip", an_id(1), "HTTP 415"),
    ]
    assert outbox.stats().clips == 1
    assert outbox.unpark_all() == 3
    assert outbox.parked() == []
    assert seqs(outbox) == [1, 2, 3]


def test_a_receipt_reaches_parked_items_too(outbox: Outbox) -> None:
    outbox.put_event(camera_event())
    body, path = clip_file(outbox.folder, 1)
    outbox.put_clip(body, path)
    outbox.park("event", "1", "?")
    outbox.park("clip", body.clip, "?")
    outbox.receipt(Receipt(outbox=outbox.id, ranges=((1, 1),), clips=(body.sha256,)))
    assert outbox.parked() == []


def test_forgotten_clips_are_told_lost_unless_delivered(outbox: Outbox) -> None:
    files = [clip_file(outbox.folder, number) for number in range(2)]
    for body, path in files:
        outbox.put_clip(body, path)
    outbox.receipt(Receipt(outbox=outbox.id, ranges=((1, 2),), clips=(files[0][0].sha256,)))
    assert outbox.forget_clips([body.clip for body, _ in files], "full") == 2000
    assert [path.exists() for _, path in files] == [False, False]
    assert outbox.kept_clips() == []
    (event,) = outbox.next_events(10)
    assert decode(event.message).body == DataLost(
        what="clip", reason="full", camera="gate", episode=files[1][0].episode, clip=files[1][0].clip, size_bytes=1000
    )


def test_forgotten_snapshots_are_told_lost_oldest_first(outbox: Outbox) -> None:
    for number in range(3):
        outbox.put_events([], [NewSnapshot(an_id(number), b"\xff\xd8\xff" + bytes([number]) * 97)])
    assert outbox.forget_oldest_snapshots(101, "full") == 200
    assert [snapshot.episode for snapshot in outbox.next_snapshots(5)] == [an_id(2)]
    lost = [decode(event.message).body for event in outbox.next_events(5)]
    assert [body.episode for body in lost if isinstance(body, DataLost)] == [an_id(0), an_id(1)]


def test_a_deletion_that_a_crash_cut_in_half_is_finished_at_opening(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    files = [clip_file(tmp_path, number) for number in range(2)]
    for body, path in files:
        outbox.put_clip(body, path)
    outbox._store.connection.execute("UPDATE clip SET state = 'going'")
    files[0][1].unlink()
    outbox = reopened(outbox)
    assert outbox.kept_clips() == []
    assert not files[1][1].exists()
    outbox.close()


def test_files_renamed_into_place_but_not_taken_over_are_found(outbox: Outbox) -> None:
    body, path = clip_file(outbox.folder, 1)
    _, stray = clip_file(outbox.folder, 2)
    outbox.put_clip(body, path)
    assert outbox.files_without_row(outbox.folder / "clips") == [stray]


def test_a_second_agent_on_the_same_folder_is_refused(outbox: Outbox) -> None:
    with pytest.raises(OutboxInUse, match="another agent uses this outbox"):
        Outbox(outbox.folder, FakeClock(), BOX)


def test_the_outbox_of_another_box_is_refused(tmp_path: Path) -> None:
    Outbox(tmp_path, FakeClock(), BOX).close()
    with pytest.raises(RuntimeError, match="outbox of box box-1, not of box-2"):
        Outbox(tmp_path, FakeClock(), "box-2")
    Outbox(tmp_path, FakeClock(), BOX).close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    outbox._store.connection.execute("PRAGMA user_version = 99")
    outbox.close()
    with pytest.raises(RuntimeError, match="Install the newer agent"):
        Outbox(tmp_path, FakeClock(), BOX)


def test_listeners_hear_of_what_is_new(outbox: Outbox) -> None:
    heard = threading.Event()
    outbox.listen(heard.set)
    outbox.put_event(camera_event())
    assert heard.is_set()


def test_figures_tell_what_waits(outbox: Outbox) -> None:
    clock = outbox._clock
    assert isinstance(clock, FakeClock)
    first_ms = clock.wall_ms()
    outbox.put_event(camera_event())
    clock.advance(5000)
    outbox.put_events([], [NewSnapshot(an_id(1), b"\xff\xd8\xffjpeg")])
    outbox.put_clip(*clip_file(outbox.folder, 1))
    stats = outbox.stats()
    assert (stats.outbox, stats.last_seq, stats.events, stats.snapshots) == (outbox.id, 2, 2, 1)
    assert (stats.clips, stats.clip_bytes, stats.oldest_ms, stats.parked) == (1, 1000, first_ms, 0)


def test_many_threads_put_without_a_hole(outbox: Outbox) -> None:
    given: list[int] = []

    def put() -> None:
        for number in range(25):
            seq = outbox.put_event(camera_event(number)).seq
            assert seq is not None
            given.append(seq)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 101)) == seqs(outbox)


KILLED = """
import sys
from pathlib import Path
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.items import NewSnapshot
from vonggac.daemon.clock import SystemClock
from tests.support.outbox_items import BOX, an_id, episode_started
outbox = Outbox(Path(sys.argv[1]), SystemClock(), BOX)
number = 0
while True:
    number += 1
    jpeg = b"\\xff\\xd8\\xff" + number.to_bytes(8, "big") * 200
    print(outbox.put_event(episode_started(number, jpeg), NewSnapshot(an_id(number), jpeg)).seq, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40, 150])
def test_what_put_returned_is_there_after_kill_9(tmp_path: Path, after: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    told = 0
    for line in child.stdout:
        told = int(line)
        if told >= after:
            child.send_signal(signal.SIGKILL)
            break
    told = max([told, *(int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith(b"\n"))])
    child.wait(10)
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    there = seqs(outbox)
    assert there == list(range(1, len(there) + 1))
    assert len(there) in (told, told + 1)
    assert len(outbox.next_snapshots(10_000)) == len(there)
    outbox.close()


def fill(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    for number in range(300):
        outbox.put_event(CameraState(camera="gate", state="down", since_ms=number, reason="r" * 300))
    outbox.put_events([], [NewSnapshot(an_id(1), b"\xff\xd8\xffjpeg")])
    outbox.put_clip(*clip_file(tmp_path, 1))
    outbox._store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return outbox


def test_a_crash_between_setting_aside_and_reading_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path).close()
    (tmp_path / "outbox.sqlite").rename(tmp_path / "outbox.corrupt-1.sqlite")
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    assert outbox.stats().events == 302
    outbox = reopened(outbox)
    assert outbox.stats().events == 302
    outbox.close()


def test_a_corrupt_database_is_set_aside_and_what_it_tells_is_moved_over(tmp_path: Path) -> None:
    outbox = fill(tmp_path)
    outbox.close()
    database = tmp_path / "outbox.sqlite"
    data = bytearray(database.read_bytes())
    with sqlite3.connect(database) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'clip_by_sha256'").fetchone()[0]
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    database.write_bytes(data)
    again = Outbox(tmp_path, FakeClock(), BOX)
    assert again.id != outbox.id
    events = [decode(event.message) for event in again.next_events(1000)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {event.outbox for event in events} == {again.id}
    assert sum(isinstance(event.body, CameraState) for event in events) == 300
    assert isinstance(events[-1].body, DataLost)
    assert again.next_clip() is not None
    assert len(again.next_snapshots(5)) == 1
    assert list(tmp_path.glob("outbox.corrupt-*.sqlite"))
    again.close()


@pytest.mark.parametrize("damage", ["header", "empty", "noise"])
def test_a_database_beyond_reading_never_stops_the_agent(tmp_path: Path, damage: str) -> None:
    outbox = fill(tmp_path)
    outbox.close()
    database = tmp_path / "outbox.sqlite"
    data = bytearray(database.read_bytes())
    if damage == "header":
        data[:100] = b"\0" * 100
    if damage == "noise":
        data[:] = bytes(range(256)) * (len(data) // 256)
    database.write_bytes(b"x" if damage == "empty" else data)
    again = Outbox(tmp_path, FakeClock(), BOX)
    assert again.put_event(camera_event()).seq == again.last_seq()
    again.close()


def test_a_second_corrupt_database_is_read_although_the_clock_went_back(tmp_path: Path) -> None:
    clock = FakeClock()
    Outbox(tmp_path, clock, BOX).close()
    read: list[str] = []
    for _ in range(2):
        with (tmp_path / "outbox.sqlite").open("r+b") as database:
            database.seek(100)
            database.write(b"\xff" * 200)
        outbox = Outbox(tmp_path, clock, BOX)
        read.append(outbox._store.read("SELECT rescued FROM outbox")[0]["rescued"])
        outbox.close()
        clock.step_wall(-86_400_000)
    assert read[0] < read[1]
