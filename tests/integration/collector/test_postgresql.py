"""What only a real PostgreSQL shows: two writers, a server that dies, and the way back."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from collector.store import ledger
from collector.store.database import Database, open_database
from collector.store.errors import StoreUnavailable
from tests.support.postgres import Postgres, server_programs


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    programs = server_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    server = Postgres(programs)
    yield server
    server.end()


@pytest.fixture
def url(server: Postgres) -> str:
    return server.database()


def _count(database: Database) -> int:
    with database.read() as connection:
        return ledger.all_counters(connection).get("trial", 0)


def test_two_processes_never_write_at_the_same_time(url: str) -> None:
    first, second = open_database(url), open_database(url)
    began, ended = threading.Event(), threading.Event()

    def write() -> None:
        began.set()
        with second.write() as connection:
            ledger.count(connection, "trial")
        ended.set()

    with first.write() as connection:
        thread = threading.Thread(target=write)
        thread.start()
        assert began.wait(5)
        ledger.count(connection, "trial")
        assert not ended.wait(0.3)
    thread.join(10)
    assert ended.is_set()
    assert _count(first) == 2
    first.close()
    second.close()


def test_commits_wait_for_the_disk_whatever_the_server_is_set_to(url: str) -> None:
    with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = open_database(url)
    with database.write() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    database.close()


def test_a_server_that_died_is_unavailable_and_what_was_committed_is_there_when_it_comes_back(
    server: Postgres, url: str
) -> None:
    database = open_database(url)
    with database.write() as connection:
        ledger.count(connection, "trial")
    server.stop()
    with pytest.raises(StoreUnavailable), database.write() as connection:
        ledger.count(connection, "trial")
    with pytest.raises(StoreUnavailable):
        _count(database)
    server.start()
    assert _count(database) == 1
    with database.write() as connection:
        ledger.count(connection, "trial")
    assert _count(database) == 2
    database.close()
