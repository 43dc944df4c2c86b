"""fsck finds each broken invariant, and repairs only what is safe."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.outbox.errors import OutboxInUse
from edge_agent.outbox.fsck import check_outbox
from edge_agent.outbox.items import NewSnapshot
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event, clip_file, episode_started
from vonggac.wire.codec import decode
from vonggac.wire.messages import DataLost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    outbox = Outbox(tmp_path, FakeClock(), BOX)
    outbox.put_events([camera_event(1), camera_event(2)])
    outbox.put_events([], [NewSnapshot(an_id(1), b"\xff\xd8\xffjpeg")])
    outbox.put_clip(*clip_file(tmp_path, 1))
    outbox.close()
    return tmp_path


def sql(statement: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        outbox = Outbox(folder, FakeClock(), BOX)
        outbox._store.connection.execute(statement)
        outbox.close()

    return damage


def open_though_ended(folder: Path) -> None:
    outbox = Outbox(folder, FakeClock(), BOX)
    outbox.put_event(episode_started(9))
    (row,) = outbox._store.connection.execute("SELECT * FROM open_episode").fetchall()
    (end,) = outbox.ends_of_cut_episodes()
    outbox.put_event(end)
    outbox._store.connection.execute("INSERT INTO open_episode VALUES (?, ?, ?)", tuple(row))
    outbox.close()


def the_clip(folder: Path) -> Path:
    return folder / "clips" / f"{an_id(1)}.mp4"


def same_size(folder: Path) -> None:
    the_clip(folder).write_bytes(b"z" * 1000)


DAMAGES: list[tuple[Callable[[Path], object], int, str, bool]] = [
    (lambda folder: (folder / "outbox.sqlite").unlink(), 1, "there is no outbox database", False),
    (lambda folder: (folder / "outbox.sqlite").write_bytes(b"x" * 9000), 1, "the database cannot be read", False),
    (sql("DELETE FROM event WHERE seq = 1"), 2, "1 events are neither waiting nor receipted", False),
    (sql("UPDATE event SET seq = 9 WHERE seq = 2"), 2, "number 9 was used, the counter stands at 3", True),
    (sql("UPDATE event SET message = x'00' WHERE seq = 1"), 3, "does not decode: not JSON", False),
    (sql("UPDATE event SET type = 'tamper' WHERE seq = 1"), 3, "says number, outbox, box and type (1, ", False),
    (sql("UPDATE snapshot SET jpeg = x'00'"), 4, "its bytes are not its SHA-256", False),
    (sql("UPDATE snapshot SET jpeg = zeroblob(50000)"), 4, "has 50000 bytes", False),
    (lambda folder: the_clip(folder).unlink(), 5, "the file is gone", True),
    (lambda folder: the_clip(folder).write_bytes(b"short"), 5, "has 5 bytes, its row says 1000", False),
    (same_size, 5, "its bytes are not its SHA-256", False),
    (lambda folder: clip_file(folder, 2), 6, "a clip file without a row", False),
    (sql(f"INSERT INTO open_episode (episode, started) VALUES ('{an_id(9)}', x'00')"), 8, "its begin cannot be", False),
    (open_though_ended, 8, "it has ended, and is noted as open", True),
]


def test_a_sound_outbox_has_no_findings_even_while_the_agent_runs(folder: Path) -> None:
    assert check_outbox(folder, deep=True) == []
    outbox = Outbox(folder, FakeClock(), BOX)
    assert check_outbox(folder, deep=True) == []
    with pytest.raises(OutboxInUse):
        check_outbox(folder, repair=True)
    outbox.close()


@pytest.mark.parametrize(("damage", "invariant", "what", "repairable"), DAMAGES)
def test_each_damage_is_found_and_repaired_only_where_safe(
    folder: Path, damage: Callable[[Path], object], invariant: int, what: str, repairable: bool
) -> None:
    damage(folder)
    found = check_outbox(folder, deep=True)
    assert (found[0].invariant, found[0].repaired) == (invariant, False)
    assert found[0].what.startswith(what)
    repaired = check_outbox(folder, deep=True, repair=True, clock=FakeClock())
    assert repaired[0].repaired == repairable
    if repairable and invariant != 2:
        assert check_outbox(folder, deep=True) == []


def test_a_half_done_deletion_is_found_and_finished(folder: Path) -> None:
    outbox = Outbox(folder, FakeClock(), BOX)
    outbox._store.connection.execute("UPDATE clip SET state = 'going'")
    outbox.close()
    assert [finding.invariant for finding in check_outbox(folder)] == [7]
    check_outbox(folder, repair=True)
    assert check_outbox(folder) == []
    assert not the_clip(folder).exists()


def test_the_loss_of_a_vanished_clip_is_told_by_a_numbered_event(folder: Path) -> None:
    the_clip(folder).unlink()
    check_outbox(folder, repair=True, clock=FakeClock())
    outbox = Outbox(folder, FakeClock(), BOX)
    last = decode(outbox.next_events(10)[-1].message)
    assert last.seq == 4
    assert isinstance(last.body, DataLost)
    assert last.body.clip == an_id(1)
    outbox.close()


def test_what_is_as_promised_and_yet_worth_knowing_is_a_note(folder: Path) -> None:
    (folder / "clips" / "a.mp4.part").write_bytes(b"x")
    (folder / "clips" / "b.mp4.broken").write_bytes(b"x")
    (folder / "outbox.corrupt-1.sqlite").write_bytes(b"x")
    (folder / "outbox.reserve").unlink()
    found = check_outbox(folder, deep=True)
    assert [finding.where for finding in found] == [
        "clips/a.mp4.part",
        "clips/b.mp4.broken",
        "outbox.corrupt-1.sqlite",
        "outbox.reserve",
    ]
    assert not any(finding.is_open for finding in found)


def test_a_clip_that_is_on_its_way_while_the_agent_runs_is_no_finding(folder: Path) -> None:
    outbox = Outbox(folder, FakeClock(), BOX)
    body, path = clip_file(folder, 2)
    (folder / "clips" / "a.mp4.part").write_bytes(b"x")
    taken_over = threading.Timer(0.2, lambda: outbox.put_clip(body, path))
    taken_over.start()
    assert check_outbox(folder) == []
    taken_over.join()
    the_clip(folder).unlink()
    assert [finding.invariant for finding in check_outbox(folder, look_again_s=0.0)] == [5]
    outbox.close()
