"""What the collector keeps: retention deletes no more than it may, fsck finds each broken promise, leftovers go."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from collector.fsck import Finding, check
from collector.ingest import leftovers, places
from collector.ingest.clip_store import ClipStore
from collector.ingest.intake import Intake
from collector.retention import Limits, Retention
from collector.store import clips
from collector.store.database import Connection
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import JPEG, NOW_MS, Station, arrived
from tests.support.databases import sqlite_only
from vonggac.wire import messages as m
from vonggac.wire import topics
from vonggac.wire.ids import uuid7

DAY_MS = 86_400_000
EVENTS = [*(body for body in sample.BODIES if body.sequenced), sample.BODIES[3]]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


def store_clip(station: Station, age_days: float, size: int = 1000, *, held: bool = False) -> str:
    clip = uuid7(round(NOW_MS - age_days * DAY_MS), os.urandom(10))
    path = station.data / places.clip_path(sample.BOX, "gate", clip)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    upload = clips.Upload(
        id=clip, box=sample.BOX, clip=clip, sha256="0" * 64, size_bytes=size,
        path=str(path.relative_to(station.data)), created_ms=0,
    )  # fmt: skip
    with station.database.write() as connection:
        clips.finish_upload(connection, upload, round(NOW_MS - age_days * DAY_MS))
        connection.execute(sa.text("UPDATE clips SET held = :held WHERE id = :id"), {"held": held, "id": clip})
    return clip


def retention(station: Station, max_bytes: int | None = None, keep_free: int = 0) -> Retention:
    clock = FakeClock(NOW_MS)
    store = ClipStore(station.database, station.data, clock, lambda _box, _sha256: None)
    limits = Limits(30 * DAY_MS, max_bytes, keep_free, 90 * DAY_MS, 365 * DAY_MS, 365 * DAY_MS, 30 * DAY_MS)
    return Retention(station.database, store, station.data, limits, clock)


def on_disk(station: Station) -> set[str]:
    return {path.stem for path in station.data.rglob("*.mp4")}


def test_old_clips_go_and_held_ones_stay(station: Station) -> None:
    old, held, young = store_clip(station, 31), store_clip(station, 400, held=True), store_clip(station, 29)
    assert retention(station).prune().clips == 1
    assert on_disk(station) == {held, young}
    assert station.rows_of(f"SELECT state, path FROM clips WHERE id = '{old}'") == [("deleted", None)]
    assert list(check(station.database, station.data, NOW_MS)) == []


def test_the_oldest_go_until_the_rest_fits(station: Station) -> None:
    kept = [store_clip(station, age) for age in (5, 4, 3, 2, 1)]
    held = store_clip(station, 20, held=True)
    assert retention(station, max_bytes=3500).prune().clip_bytes == 3000
    assert on_disk(station) == {*kept[3:], held}


def test_a_hold_on_an_episode_is_one_on_its_clip_and_ends_when_released(station: Station) -> None:
    clip, other = store_clip(station, 400), store_clip(station, 400)
    with station.database.write() as connection:
        connection.execute(sa.text("UPDATE clips SET episode = 'e' WHERE id = :id"), {"id": clip})
        assert clips.set_held(connection, "e", True) == [clip]
        assert clips.set_held(connection, clip, True) == []
    retention(station).prune()
    assert on_disk(station) == {clip}
    with station.database.write() as connection:
        assert clips.set_held(connection, other, True) == []  # it is gone
        assert clips.set_held(connection, clip, False) == [clip]
    retention(station).prune()
    assert on_disk(station) == set()


def test_what_is_held_is_deleted_by_nothing_even_on_a_full_disk(station: Station) -> None:
    held = store_clip(station, 999, held=True)
    store_clip(station, 0.1)
    retention(station, max_bytes=0, keep_free=2**62).prune()
    assert on_disk(station) == {held}


def test_heartbeats_are_thinned_after_a_day(station: Station) -> None:
    with station.database.write() as connection:
        for step in range(120):
            connection.execute(
                sa.text("INSERT INTO heartbeat_history (box, received_ms, boot_id, body) VALUES (:b, :r, 'x', '{}')"),
                {"b": sample.BOX, "r": NOW_MS - DAY_MS - 3_600_000 + step * 60_000},
            )
    retention(station).prune()
    [(old,)] = station.rows_of(f"SELECT count(*) FROM heartbeat_history WHERE received_ms <= {NOW_MS - DAY_MS}")
    [(young,)] = station.rows_of(f"SELECT count(*) FROM heartbeat_history WHERE received_ms > {NOW_MS - DAY_MS}")
    assert (old, young) == (7, 59)
    assert retention(station).prune().heartbeats == 0


def as_old_as_the_hills(path: Path) -> Path:
    os.utime(path, (1, 1))
    return path


def picture(station: Station, episode: str = sample.EPISODE, received_ms: int = NOW_MS) -> None:
    station.intake.handle(topics.snapshot(sample.BOX, episode), JPEG, False, received_ms)


def test_the_pictures_and_events_of_a_held_clip_stay_with_it(station: Station) -> None:
    long_ago = NOW_MS - 400 * DAY_MS
    other = "01890a5d-ac96-774b-bcce-b30209900001"
    for episode in (sample.EPISODE, other):
        picture(station, episode, long_ago)
    station.intake.take([arrived(body, seq, received_ms=long_ago) for seq, body in enumerate(EVENTS, 1)])
    held = store_clip(station, 400, held=True)
    with station.database.write() as connection:
        connection.execute(sa.text("UPDATE clips SET episode = :e WHERE id = :c"), {"e": sample.EPISODE, "c": held})
    pruned = retention(station).prune()
    assert (pruned.clips, pruned.snapshots, pruned.events) == (0, 1, 3)
    assert station.rows_of("SELECT episode FROM snapshots") == [(sample.EPISODE,)]
    assert [finding for finding in check(station.database, station.data, NOW_MS) if finding.is_wrong] == []


def test_a_held_clip_keeps_its_file_whatever_its_box_says_of_it_later(station: Station) -> None:
    clip = store_clip(station, 1, held=True)
    body = m.ClipReady(
        clip=clip, episode=sample.EPISODE, camera="gate", sha256="f" * 64, size_bytes=7, first_frame_ms=NOW_MS,
        duration_ms=1, codec="h264", width=2, height=2,
    )  # fmt: skip
    assert station.intake.take([arrived(body, 1)])[0].verdict == "kept_aside"
    assert station.rows_of("SELECT state, sha256, size_bytes FROM clips") == [("stored", "0" * 64, 1000)]
    assert on_disk(station) == {clip}


def test_an_announcement_with_the_wrong_size_does_not_change_what_was_measured(station: Station) -> None:
    clip = store_clip(station, 1)
    body = m.ClipReady(
        clip=clip, episode=sample.EPISODE, camera="gate", sha256="0" * 64, size_bytes=7, first_frame_ms=NOW_MS,
        duration_ms=1, codec="h264", width=2, height=2,
    )  # fmt: skip
    assert station.intake.take([arrived(body, 1)])[0].verdict == "stored"
    assert station.rows_of("SELECT state, size_bytes, codec FROM clips") == [("stored", 1000, "h264")]


def test_a_clip_that_stands_in_a_backup_too_is_not_deleted_to_make_room(station: Station, tmp_path: Path) -> None:
    shared = [store_clip(station, age) for age in (9, 8, 7)]
    alone = store_clip(station, 5)
    for path in station.data.rglob("*.mp4"):
        if path.stem in shared:
            os.link(path, tmp_path / path.name)
    assert retention(station, keep_free=2**62).prune().clips == 1
    assert on_disk(station) == set(shared)
    assert station.rows_of(f"SELECT state FROM clips WHERE id = '{alone}'") == [("deleted",)]
    too_old = store_clip(station, 31)
    os.link(station.data / places.clip_path(sample.BOX, "gate", too_old), tmp_path / "too_old")
    assert retention(station, keep_free=2**62).prune().clips == 1
    assert retention(station, max_bytes=2000).prune().clips == 1


def test_room_is_found_behind_more_clips_of_a_backup_than_are_looked_at_at_once(
    station: Station, tmp_path: Path
) -> None:
    for number in range(205):
        clip = store_clip(station, 20 - number / 100, 10)
        os.link(station.data / places.clip_path(sample.BOX, "gate", clip), tmp_path / clip)
    young = store_clip(station, 1)
    assert retention(station, keep_free=2**62).prune().clips == 1
    assert young not in on_disk(station)


def test_what_a_crash_left_goes_at_the_next_start_and_nothing_else(station: Station) -> None:
    kept = store_clip(station, 1)
    picture(station)
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, _sha256: None)
    store.begin(sample.BOX, sample.CLIP, "gate", "a" * 64, 500)
    upload = store.find(sample.BOX, sample.CLIP)
    assert isinstance(upload, clips.Upload)
    store.append(upload, 0, b"x")
    [jpeg], [mp4], part = station.data.rglob("*.jpg"), station.data.rglob("*.mp4"), store.part(upload)
    left = [mp4.with_name("deleted.mp4"), jpeg.with_name(f".{jpeg.name}.77.tmp"), part.with_name("x.part")]
    elsewhere = station.data / "clips/2020/01/01/nha-01.gate/old.mp4"
    elsewhere.parent.mkdir(parents=True)
    for path in (*left, elsewhere):
        path.write_bytes(b"x")
    for path in (*left, elsewhere, jpeg, mp4, part):
        as_old_as_the_hills(path)
    young = mp4.with_name("young.mp4")
    young.write_bytes(b"on its way")
    os.utime(young, (NOW_MS, NOW_MS))
    assert retention(station).sweep()
    assert [path for path in (*left, elsewhere) if path.exists()] == []
    assert {path.name for path in station.data.rglob("*") if path.is_file()} == {
        jpeg.name, f"{kept}.mp4", part.name, young.name,
    }  # fmt: skip
    assert not (station.data / "clips/2020").exists()


def test_a_file_that_a_row_took_over_meanwhile_is_not_removed(station: Station) -> None:
    picture(station)
    [path] = station.data.rglob("*.jpg")
    name = str(path.relative_to(station.data))
    assert [*leftovers.find_unowned(station.data, set(), 2**62)] == [name]
    assert leftovers.remove_unowned(station.database, station.data, [name]) == []
    assert path.exists()


class TidiedBefore:
    """A database before whose every write somebody else removes the pictures."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.read = station.database.read

    def write(self) -> AbstractContextManager[Connection]:
        for path in self._station.data.rglob("*.jpg"):
            path.unlink()
        return self._station.database.write()


def test_a_picture_whose_file_was_tidied_away_before_its_row_is_asked_for_again(station: Station) -> None:
    intake = Intake(TidiedBefore(station), station.data)  # type: ignore[arg-type]
    outcome = intake.handle(topics.snapshot(sample.BOX, sample.EPISODE), JPEG, False, NOW_MS)
    assert (outcome.verdict, outcome.snapshot_sha256) == ("refused", None)
    assert station.count("snapshots") == 0


# --- fsck ---------------------------------------------------------------------------------------------------------


def findings(station: Station, **options: object) -> list[Finding]:
    return [*check(station.database, station.data, NOW_MS, **options)]  # type: ignore[arg-type]


def wrong(station: Station, **options: object) -> list[str]:
    return sorted(finding.kind for finding in findings(station, **options) if finding.is_wrong)


def change(station: Station, statement: str) -> None:
    with station.database.write() as connection:
        connection.exec_driver_sql(statement)


def furnished(station: Station) -> Station:
    """Two clips, a picture and events 1 to 9."""
    for _ in range(2):
        store_clip(station, 1)
    picture(station)
    station.intake.take([arrived(body, seq) for seq, body in enumerate(EVENTS, 1)])
    return station


def a_clip(station: Station) -> Path:
    return min(station.data.rglob("*.mp4"))


def new_file(station: Station, name: str) -> Path:
    path = station.data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def add_range(station: Station, first: int, last: int) -> None:
    change(station, f"INSERT INTO sequences VALUES ('{sample.BOX}', '{sample.OUTBOX}', {first}, {last})")


def leave_upload(station: Station) -> None:
    """As one that was begun a second time looks after a crash between renaming and forgetting."""
    clip = a_clip(station).stem
    change(
        station,
        "INSERT INTO uploads (id, box, clip, sha256, size_bytes, path, created_ms) "
        f"SELECT box || '.' || id, box, id, sha256, size_bytes, path, 0 FROM clips WHERE id = '{clip}'",
    )


def leave_alert(station: Station, state: str) -> None:
    then_ms = NOW_MS - 2 * 3_600_000
    change(
        station,
        "INSERT INTO alerts (id, key, kind, channel, severity, rings, state, attempts, created_ms, next_ms, claimed_ms,"
        f" late_ms) VALUES ('a', 'a', 'fleet', 'screen', 'normal', TRUE, '{state}', 0,"
        f" {then_ms}, {then_ms}, {then_ms}, 0)",
    )


BREAKS: dict[str, tuple[str, Callable[[Station], object]]] = {
    "a clip is gone": ("missing", lambda s: a_clip(s).unlink()),
    "a clip is short": ("size", lambda s: a_clip(s).write_bytes(b"x")),
    "a picture is gone": ("missing", lambda s: next(s.data.rglob("*.jpg")).unlink()),
    "a file without a row": ("orphan", lambda s: as_old_as_the_hills(new_file(s, "clips/2026/01/01/b.c/x.mp4"))),
    "a temporary file": ("orphan", lambda s: as_old_as_the_hills(new_file(s, "snapshots/2026/01/01/b/.x.jpg.1.tmp"))),
    "bytes without an upload": ("orphan", lambda s: as_old_as_the_hills(new_file(s, "uploads/x.part"))),
    "ranges touch": ("ledger", lambda s: (change(s, "UPDATE sequences SET last_seq = 5"), add_range(s, 6, 9))),
    "a range without sense": ("ledger", lambda s: change(s, "UPDATE sequences SET first_seq = 0, last_seq = 8")),
    "a number without an event": ("ledger", lambda s: change(s, "UPDATE sequences SET last_seq = 10")),
    "an event without a number": ("ledger", lambda s: change(s, "UPDATE sequences SET last_seq = 8")),
    "an event is gone": ("ledger", lambda s: change(s, "DELETE FROM events WHERE seq = 3")),
    "a message twice": (
        "duplicate",
        lambda s: change(
            s, "UPDATE events SET message_id = (SELECT message_id FROM events WHERE seq = 1) WHERE seq = 2"
        ),
    ),
    "a stored clip without a place": (
        "clip",
        lambda s: (a_clip(s).unlink(), change(s, "UPDATE clips SET path = NULL")),
    ),
    "a deleted clip with a place": ("clip", lambda s: change(s, "UPDATE clips SET state = 'lost'")),
    "a held clip was deleted": (
        "hold",
        lambda s: change(s, "UPDATE clips SET state = 'deleted', path = NULL, held = TRUE"),
    ),
    "two clips in one place": (
        "duplicate",
        lambda s: change(s, "UPDATE clips SET path = (SELECT min(path) FROM clips)"),
    ),
    "an upload that is over": ("upload", leave_upload),
    "an alert nobody sent": ("alert", lambda s: leave_alert(s, "due")),
    "an alert nobody marked": ("alert", lambda s: leave_alert(s, "claimed")),
}


def test_a_sound_collector_is_sound(station: Station) -> None:
    assert findings(furnished(station)) == []


@sqlite_only
@pytest.mark.parametrize(("kind", "breaking"), BREAKS.values(), ids=BREAKS)
def test_fsck_finds(station: Station, kind: str, breaking: Callable[[Station], object]) -> None:
    breaking(furnished(station))
    assert kind in wrong(station)


def test_only_a_deep_fsck_finds_changed_bytes(station: Station) -> None:
    picture(station)
    [path] = station.data.rglob("*.jpg")
    path.write_bytes(bytes(len(JPEG)))
    assert (wrong(station), wrong(station, deep=True)) == ([], ["hash"])


@sqlite_only
def test_fsck_finds_a_damaged_database(station: Station) -> None:
    furnished(station)
    change(station, "PRAGMA writable_schema = ON")
    change(
        station, "UPDATE sqlite_master SET sql = replace(sql, 'note TEXT', 'note TEXT NOT NULL') WHERE name = 'clips'"
    )
    station.database.close()
    assert "database" in wrong(station, deep=True)


def test_what_belongs_to_nothing_is_not_judged_while_it_may_be_on_its_way(station: Station) -> None:
    os.utime(new_file(station, "uploads/x.part"), (NOW_MS / 1000 - 60,) * 2)
    assert wrong(station) == []
    assert wrong(station, running=("web",)) == ["orphan"]


def test_alerts_that_wait_while_nobody_delivers_are_no_fault(station: Station) -> None:
    leave_alert(station, "claimed")
    assert wrong(station, running=()) == []
    assert [finding.kind for finding in findings(station, running=())] == ["alert"]


@sqlite_only
@pytest.mark.parametrize(
    "name",
    ["a file without a row", "a temporary file", "bytes without an upload", "an event without a number",
     "an upload that is over"],
)  # fmt: skip
def test_a_repair_mends_what_loses_nothing(station: Station, name: str) -> None:
    _kind, breaking = BREAKS[name]
    breaking(furnished(station))
    mended = findings(station, repair=True)
    assert [finding.is_wrong for finding in mended] == [False]
    assert findings(station) == []


@sqlite_only
@pytest.mark.parametrize("name", ["a clip is gone", "a clip is short", "an event is gone", "a held clip was deleted"])
def test_a_repair_leaves_to_people_what_was_lost(station: Station, name: str) -> None:
    _kind, breaking = BREAKS[name]
    breaking(furnished(station))
    before = wrong(station)
    assert wrong(station, repair=True) == before == wrong(station)


def heartbeat(last_seq: int, events: int = 0, waiting_clips: int = 0, received_ms: int = NOW_MS) -> object:
    outbox = m.OutboxHealth(
        outbox=sample.OUTBOX,
        last_seq=last_seq,
        events=events,
        snapshots=0,
        clips=waiting_clips,
        clip_bytes=0,
        waiting=((last_seq - events + 1, last_seq),) if events else (),
    )
    return arrived(
        m.Heartbeat(interval_s=30.0, cameras=(), host=m.BoxHealth(uptime_ms=1), outbox=outbox), received_ms=received_ms
    )


@pytest.mark.parametrize(
    ("beat", "told"),
    [
        (heartbeat(9), []),
        (heartbeat(7), []),
        (heartbeat(12, events=3), []),
        (heartbeat(12, events=1), [f"events 10–11 of {sample.OUTBOX} will not come"]),
        (heartbeat(9, waiting_clips=1, received_ms=NOW_MS + 90_000), []),
        (heartbeat(9, received_ms=NOW_MS + 90_000), ["1 announced clips will not come"]),
    ],
    ids=["all is here", "an old word", "the rest waits", "two are gone", "the clip waits", "the clip is gone"],
)
def test_what_neither_box_nor_collector_has_is_told(station: Station, beat: object, told: list[str]) -> None:
    bodies = [body for body in EVENTS if not isinstance(body, m.DataLost)]
    station.intake.take([arrived(body, seq) for seq, body in enumerate([*bodies, sample.BODIES[4]], 1)])
    station.intake.take([beat])  # type: ignore[list-item]
    found = findings(station)
    assert [finding.text.removeprefix(f"box {sample.BOX}: ") for finding in found] == told
    assert not any(finding.is_wrong for finding in found)
