"""A real PostgreSQL server of the tests' own, on a free loopback port in a folder that goes with it."""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.support.brokers import free_port

_SERVERS = Path("/usr/lib/postgresql")


def server_programs() -> Path | None:
    """The folder of the newest installed server's programs; None without one."""
    found = sorted(_SERVERS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """`stop` and `start` cut and mend; `end` takes its folder away. PostgreSQL refuses to run as root.

    `keep`: a folder that may hold a cluster already; its commits are synced, as an installation's are.
    """

    def __init__(self, programs: Path, keep: Path | None = None) -> None:
        self._programs = programs
        self._folder = keep or Path(tempfile.mkdtemp(prefix="vonggac-postgres-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._options = "" if keep else " -c fsync=off"
        self._as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self.port = free_port()
        self._made = 0
        self._data = str(self._folder / "data")
        if not (self._folder / "data").exists():
            self._run("initdb", "--pgdata", self._data, "--auth", "trust", "--username", "vonggac", "--no-sync")
        self.start()

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''{self._options}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "--pgdata", self._data, "--wait", "--log", log, "--options", options, "start")

    def stop(self) -> None:
        """As a power cut would."""
        self._run("pg_ctl", "--pgdata", self._data, "--mode", "immediate", "stop")

    def shut_down(self) -> None:
        """In order, with everything in its place."""
        self._run("pg_ctl", "--pgdata", self._data, "--mode", "fast", "--wait", "stop")

    def _run(self, name: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / name), *arguments]
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def database(self, copy_of: str | None = None) -> str:
        """The URL of a new database: empty, or with what stands in the one at that URL (which nobody may have open)."""
        self._made += 1
        name = f"t{self._made}"
        template = copy_of.rsplit("/", 1)[1] if copy_of else "template1"
        server = f"host=127.0.0.1 port={self.port} user=vonggac dbname=postgres"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database that is there."""
        return f"postgresql+psycopg://vonggac@127.0.0.1:{self.port}/{name}"

    def end(self) -> None:
        """Stop it and take its folder away."""
        self.stop()
        shutil.rmtree(self._folder)


@functools.cache
def shared_server() -> Postgres:
    """The one of this run of the tests; `tests/conftest.py` ends it."""
    programs = server_programs()
    assert programs is not None, "VONGGAC_TEST_DATABASE=postgresql needs Debian's package postgresql"
    return Postgres(programs)


@contextlib.contextmanager
def ended_with_the_tests() -> Iterator[None]:
    """Ends the shared server, if it was ever started."""
    try:
        yield
    finally:
        if shared_server.cache_info().currsize:
            shared_server().end()
