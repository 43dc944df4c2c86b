"""A backup holds every file of its database; a restore brings back what is whole, and says what is not."""

import fcntl
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector.backup import CannotCopy, Copied, back_up
from collector.cli import main
from collector.collector import serve
from collector.config import load_collector_config
from collector.fsck import check
from collector.ingest.clip_store import ClipStore
from collector.restore import UNFINISHED, restore
from collector.store import clips
from collector.store.copying import database_file
from collector.store.database import Connection, open_database, sqlite_url
from collector.store.errors import StoreUnusable
from tests.support import messages as sample
from tests.support.clock import FakeClock
from tests.support.collector import JPEG, NOW_MS, Station, arrived
from tests.support.databases import ON_POSTGRESQL
from vonggac.wire import topics
from vonggac.wire.ids import uuid7

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="copies SQLite's own file")
EVENTS = [body for body in sample.BODIES if body.sequenced]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    station.intake.take([arrived(body, seq) for seq, body in enumerate(EVENTS, 1)])
    station.intake.handle(topics.snapshot(sample.BOX, sample.EPISODE), JPEG, False, NOW_MS)
    for number in range(3):
        store_clip(station, number)
    yield station
    station.database.close()


def store_clip(station: Station, number: int) -> Path:
    data = f"clip {number}".encode() * 1000
    clip, sha256 = uuid7(NOW_MS + number, bytes(10)), hashlib.sha256(data).hexdigest()
    store = ClipStore(station.database, station.data, FakeClock(NOW_MS), lambda _box, _sha256: None)
    store.begin(sample.BOX, clip, "gate", sha256, len(data))
    upload = store.find(sample.BOX, clip)
    assert isinstance(upload, clips.Upload)
    store.append(upload, 0, data)
    store.finish(upload)
    return station.data / upload.path


def delete_clip(station: Station, path: Path) -> None:
    with station.database.write() as connection:
        assert clips.mark_deleted(connection, path.stem, NOW_MS)
    path.unlink()


def run(station: Station, target: Path, database: object = None) -> Copied:
    file = station.data.parent / "collector.sqlite"
    return back_up(database or station.database, file, station.data, target, FakeClock(NOW_MS))  # type: ignore[arg-type]


def wrong(database: Path, data: Path) -> list[str]:
    opened = open_database(sqlite_url(database))
    try:
        return [finding.text for finding in check(opened, data, NOW_MS, deep=True, running=()) if finding.is_wrong]
    finally:
        opened.close()


def names(folder: Path, *top: str) -> set[str]:
    return {
        str(path.relative_to(folder))
        for each in top or ("clips", "snapshots")
        for path in (folder / each).rglob("*")
        if path.is_file()
    }


def test_a_backup_holds_every_file_of_its_database(station: Station, tmp_path: Path) -> None:
    done = run(station, tmp_path / "backup")
    assert (done.files, done.linked, done.copied, done.broken) == (4, 4, 0, [])
    assert names(tmp_path / "backup") == names(station.data)
    assert wrong(tmp_path / "backup/collector.sqlite", tmp_path / "backup") == []
    assert (tmp_path / "backup/collector.sqlite").stat().st_mode & 0o077 == 0


def test_a_second_backup_brings_what_is_new_and_drops_what_retention_deleted(station: Station, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    run(station, target)
    delete_clip(station, next(station.data.rglob("*.mp4")))
    store_clip(station, 7)
    done = run(station, target)
    assert (done.files, done.linked, done.kept, done.removed) == (4, 1, 3, 1)
    assert names(target) == names(station.data)
    assert wrong(target / "collector.sqlite", target) == []


def test_on_another_file_system_files_are_copied_and_compared(station: Station) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == station.data.stat().st_dev:
            pytest.skip("there is no second file system")
        target = Path(other) / "backup"
        torn = min(station.data.rglob("*.mp4"))
        torn.write_bytes(bytes(torn.stat().st_size))
        done = run(station, target)
        assert (done.linked, done.copied, done.broken) == (0, 3, [str(torn.relative_to(station.data))])
        again = run(station, target)
        assert (again.copied, again.kept) == (0, 4 - len(done.broken))


def test_what_is_gone_or_changed_is_told_and_the_rest_is_saved(station: Station, tmp_path: Path) -> None:
    gone, short, _whole = sorted(station.data.rglob("*.mp4"))
    gone.unlink()
    short.write_bytes(b"x")
    done = run(station, tmp_path / "backup")
    assert done.files == 2
    assert sorted(done.broken) == sorted(str(path.relative_to(station.data)) for path in (gone, short))


class DeletedMeanwhile:
    """The collector's database, in which retention deletes a clip after the backup's copy of it was made."""

    def __init__(self, station: Station, path: Path) -> None:
        self._station = station
        self._path = path
        path.rename(path.with_suffix(".going"))

    def read(self) -> AbstractContextManager[Connection]:
        going = self._path.with_suffix(".going")
        if going.exists():
            going.rename(self._path)
            delete_clip(self._station, self._path)
        return self._station.database.read()


def test_what_retention_deletes_meanwhile_is_no_row_of_the_backup(station: Station, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    done = run(station, target, DeletedMeanwhile(station, next(station.data.rglob("*.mp4"))))
    assert (done.files, done.broken) == (3, [])
    assert wrong(target / "collector.sqlite", target) == []


def test_a_backup_that_was_cut_off_is_whole_as_before_and_the_next_one_finishes(
    station: Station, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    run(station, target)
    before = names(target)
    new = store_clip(station, 9)
    beside = target / new.relative_to(station.data)
    beside.with_name(f".{beside.name}.tmp").write_bytes(b"half")
    (target / "next.sqlite").write_bytes(b"half")
    (target / ".next.sqlite.new").write_bytes(b"half")
    os.link(new, beside)
    assert all("belongs to nothing" in text for text in wrong(target / "collector.sqlite", target))
    assert names(target) > before
    done = run(station, target)
    assert (done.files, done.linked) == (5, 1)
    assert names(target) == names(station.data)
    assert not [path for path in target.iterdir() if "next" in path.name]


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("data", "cannot stand there"),
        (".", "cannot stand there"),
        ("data/clips", "cannot stand there"),
        ("data/snapshots/x", "cannot stand there"),
        ("full", "holds other things"),
        ("collector.sqlite", "is no folder"),
    ],
)
def test_a_backup_does_not_stand_in_the_way(station: Station, tmp_path: Path, where: str, reason: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/precious").write_text("x")
    with pytest.raises(CannotCopy, match=reason):
        run(station, tmp_path / where)
    assert (tmp_path / "full/precious").read_text() == "x"


def test_two_backups_into_one_folder_do_not_meet(station: Station, tmp_path: Path) -> None:
    run(station, tmp_path / "backup")
    with (tmp_path / "backup/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CannotCopy, match="another backup"):
            run(station, tmp_path / "backup")


def test_a_postgresql_database_is_told_its_own_way() -> None:
    with pytest.raises(StoreUnusable, match=r"pg_dump --format=custom --file=collector\.dump vonggac"):
        database_file("postgresql+psycopg://vonggac@db.example/vonggac")


# --- restore ------------------------------------------------------------------------------------------------------


@pytest.fixture
def backup(station: Station, tmp_path: Path) -> Path:
    run(station, tmp_path / "backup")
    return tmp_path / "backup"


def test_a_restored_collector_is_sound_and_knows_what_it_is(station: Station, backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = restore(backup, new / "collector.sqlite", new)
    assert (done.files, done.lost) == (4, [])
    assert names(new) == names(station.data)
    assert all(path.stat().st_nlink == 1 for path in new.rglob("*.mp4"))
    database = open_database(sqlite_url(new / "collector.sqlite"))
    found = [*check(database, new, NOW_MS, deep=True, running=())]
    assert [(finding.kind, finding.is_wrong) for finding in found] == [("restored", False)]
    assert found[0].text.startswith("restored from the backup of 2026-09-21T")
    database.close()
    assert not (new / UNFINISHED).exists()


def test_what_the_backup_has_not_whole_is_given_up_and_told(backup: Path, tmp_path: Path) -> None:
    gone, changed, whole = sorted(backup.rglob("*.mp4"))
    [picture] = backup.rglob("*.jpg")
    gone.unlink()
    for path in (changed, picture):
        size = path.stat().st_size
        path.unlink()
        path.write_bytes(bytes(size))
    new = tmp_path / "new"
    done = restore(backup, new / "collector.sqlite", new)
    assert sorted(done.lost) == sorted(str(path.relative_to(backup)) for path in (gone, changed, picture))
    assert wrong(new / "collector.sqlite", new) == []
    with closing(sqlite3.connect(new / "collector.sqlite")) as connection:
        states = connection.execute("SELECT id, state FROM clips WHERE announced_ms IS NULL ORDER BY id").fetchall()
        assert states == [(gone.stem, "lost"), (changed.stem, "lost"), (whole.stem, "stored")]


def test_a_restore_that_was_cut_off_holds_the_collector_back_and_goes_on(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    config = tmp_path / "collector.yaml"
    config.write_text("data: new\nbroker: embedded\n")
    (new / "clips").mkdir(parents=True)
    (new / UNFINISHED).write_text(str(backup))
    torn = new / max(backup.rglob("*.mp4")).relative_to(backup)
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"half")
    told = CliRunner().invoke(main, ["fsck", "--config", str(config)])
    assert (told.exit_code, f"Do: collector restore {backup}" in told.output) == (1, True)
    assert serve(load_collector_config(config)) == 1
    assert not (new / "collector.sqlite").exists()
    with pytest.raises(CannotCopy, match="is not empty"):
        restore_another(backup, tmp_path, new)
    assert restore(backup, new / "collector.sqlite", new).lost == []
    assert wrong(new / "collector.sqlite", new) == []
    assert CliRunner().invoke(main, ["fsck", "--config", str(config)]).exit_code == 0


def restore_another(backup: Path, tmp_path: Path, new: Path) -> None:
    moved = tmp_path / "moved"
    backup.rename(moved)
    try:
        restore(moved, new / "collector.sqlite", new)
    finally:
        moved.rename(backup)


def test_a_folder_that_is_not_empty_is_never_overwritten(station: Station, backup: Path, tmp_path: Path) -> None:
    before = names(station.data)
    with pytest.raises(CannotCopy, match="never overwrites"):
        restore(backup, tmp_path / "collector.sqlite", station.data)
    with pytest.raises(CannotCopy, match=r"collector\.sqlite: exists"):
        restore(backup, tmp_path / "collector.sqlite", tmp_path / "new")
    assert names(station.data) == before


def test_a_collector_that_runs_is_not_restored_into(backup: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    with (new / "ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CannotCopy, match="a collector runs here"):
            restore(backup, new / "collector.sqlite", new)


def test_a_damaged_or_unfinished_backup_is_refused_and_nothing_is_begun(backup: Path, tmp_path: Path) -> None:
    file = backup / "collector.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + os.urandom(8192) + whole[12288:])
    with pytest.raises(StoreUnusable, match=r"database is damaged|no whole copy"):
        restore(backup, tmp_path / "new/collector.sqlite", tmp_path / "new")
    (backup / "vonggac-backup.json").write_text("{}")
    with pytest.raises(CannotCopy, match="no finished backup"):
        restore(backup, tmp_path / "new2/collector.sqlite", tmp_path / "new2")
    assert not (tmp_path / "new/collector.sqlite").exists()
    assert not (tmp_path / "new2").exists()


def test_a_backup_that_speaks_of_files_elsewhere_is_refused(backup: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(backup / "collector.sqlite")) as connection:
        connection.execute("UPDATE snapshots SET path = 'snapshots/../../../etc/passwd'")
        connection.commit()
    with pytest.raises(CannotCopy, match="where none can be"):
        restore(backup, tmp_path / "new/collector.sqlite", tmp_path / "new")


# --- the commands -------------------------------------------------------------------------------------------------


def command(folder: Path, *words: str) -> Result:
    config = folder / "collector.yaml"
    config.write_text(f"data: data\nbroker: embedded\ndatabase: sqlite:///{folder}/collector.sqlite\n")
    return CliRunner().invoke(main, [*words, "--config", str(config)])


def test_the_commands_say_what_they_did(station: Station, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    made = command(tmp_path, "backup", str(target))
    assert (made.exit_code, "4 linked and 0 copied now, 0 were there" in made.output) == (0, True)
    again = command(tmp_path, "backup", str(target), "--json")
    assert json.loads(again.output)["kept"] == 4
    next(station.data.rglob("*.jpg")).unlink()
    refused = command(tmp_path, "restore", str(target))
    assert (refused.exit_code, "never overwrites" in refused.output) == (1, True)
    station.data.rename(tmp_path / "away")
    (tmp_path / "collector.sqlite").rename(tmp_path / "away.sqlite")
    done = command(tmp_path, "restore", str(target))
    assert (done.exit_code, "What boxes sent after that" in done.output) == (0, True)
    assert command(tmp_path, "fsck", "--deep").exit_code == 0


def test_a_backup_that_lacks_something_exits_1_and_names_it(station: Station, tmp_path: Path) -> None:
    picture = next(station.data.rglob("*.jpg"))
    picture.unlink()
    made = command(tmp_path, "backup", str(tmp_path / "backup"))
    assert made.exit_code == 1
    assert f"WRONG {picture.relative_to(station.data)} is gone" in made.output
