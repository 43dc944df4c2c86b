"""The audit log against whoever would change it, on both databases, and what each act leaves in it."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from collector.store import audit
from collector.store.audit import FIRST, Act, Seal, Sought
from tests.support.databases import ON_POSTGRESQL, fresh_database
from tests.support.duty import NOW_MS


@pytest.fixture
def database(tmp_path):
    made = fresh_database(tmp_path)
    with made.write() as connection:
        for number in range(1, 8):
            audit.append(connection, an_act(number), NOW_MS + number)
    yield made
    made.close()


def an_act(number):
    return Act(
        action="view", who="lan", by="session", role="officer", thing="clip", ref=f"clip-{number}",
        camera="nha-01/cổng", detail={"n": number},
    )  # fmt: skip


def wrong(database, kept=None):
    with database.read() as connection:
        return list(audit.verify(connection, kept))


def break_in(database, *statements):
    """What somebody with the database's own tools would do: the triggers go first."""
    with database.write() as connection:
        if ON_POSTGRESQL:
            connection.exec_driver_sql("DROP TRIGGER audit_refuses ON audit")
        else:
            connection.exec_driver_sql("DROP TRIGGER audit_refuses_update")
            connection.exec_driver_sql("DROP TRIGGER audit_refuses_delete")
        for statement in statements:
            connection.execute(sa.text(statement))


def test_a_log_that_nobody_touched_is_whole_and_holds_every_seal_it_ever_had(database):
    assert wrong(database) == []
    with database.read() as connection:
        lines = audit.list_lines(connection, Sought())
        assert audit.newest(connection) == Seal(7, lines[0].hash)
    assert [line.number for line in lines] == [7, 6, 5, 4, 3, 2, 1]
    assert lines[-1].previous == FIRST
    assert lines[0].detail == {"n": 7}
    for line in lines:
        assert wrong(database, Seal(line.number, line.hash)) == []
    assert wrong(database, Seal()) == []


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'minh'", "DELETE FROM audit WHERE number = 7"])
def test_the_database_itself_refuses_to_change_a_line(database, change):
    with pytest.raises(DatabaseError, match="never changed"), database.write() as connection:
        connection.execute(sa.text(change))
    assert wrong(database) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE audit SET who = 'minh' WHERE number = 3", ["line 3 was changed"]),
        ("UPDATE audit SET wall_ms = wall_ms - 1 WHERE number = 7", ["line 7 was changed"]),
        ("DELETE FROM audit WHERE number = 4", ["lines 4 to 4 are missing"]),
        ("DELETE FROM audit WHERE number < 3", ["lines 1 to 2 are missing"]),
        (f"UPDATE audit SET previous = '{'f' * 64}' WHERE number = 5",
         ["line 5 does not follow the line before it", "line 5 was changed"]),
    ],
)  # fmt: skip
def test_a_line_that_was_changed_or_taken_out_shows(database, change, said):
    break_in(database, change)
    assert wrong(database) == said


def test_a_log_cut_off_at_its_end_is_whole_in_itself_and_shows_against_a_seal(database):
    with database.read() as connection:
        seal = audit.newest(connection)
    break_in(database, "DELETE FROM audit WHERE number > 5")
    assert wrong(database) == []
    assert wrong(database, seal) == ["the log ends at line 5, the seal is of line 7: the end was cut off"]


def test_a_log_written_anew_with_right_hashes_shows_against_a_seal(database):
    with database.read() as connection:
        seal = audit.newest(connection)
    break_in(database, "DELETE FROM audit")
    with database.write() as connection:
        for number in range(1, 9):
            audit.append(connection, an_act(number + 1), NOW_MS + number)
    assert wrong(database) == []
    assert wrong(database, seal) == ["line 7 is not the one of the seal: the log was written anew"]


def test_a_line_is_there_only_with_what_it_tells_of(database):
    def append_and_fail():
        with database.write() as connection:
            audit.append(connection, an_act(8), NOW_MS)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        append_and_fail()
    with database.read() as connection:
        assert audit.newest(connection).number == 7


def test_lines_are_found_by_who_camera_and_time(database):
    with database.write() as connection:
        act = Act(action="sign_in", who="minh", by="session")
        audit.append(connection, act, NOW_MS + 8)

    def numbers(**sought):
        with database.read() as connection:
            return [line.number for line in audit.list_lines(connection, Sought(**sought))]

    assert numbers(who="minh") == [8]
    assert numbers(action="view", limit=2) == [7, 6]
    assert numbers(camera="nha-01/cổng", before=3) == [2, 1]
    assert numbers(since_ms=NOW_MS + 2, until_ms=NOW_MS + 4) == [3, 2]
    assert numbers(incident="none") == []
