"""The real program: starts forwards, refuses plainly, ends whole, and takes its broker with it."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.store import audit
from collector.store.database import open_database, sqlite_url
from tests.support.brokers import free_port
from tests.support.system import Program, wait_for


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker_port, self.web_port = free_port(), free_port()
        self.config = folder / "collector.yaml"
        self.config.write_text(
            f"data: data\nbroker: {{embedded: true, listen: '127.0.0.1:{self.broker_port}'}}\n"
            f"http: {{listen: '127.0.0.1:{self.web_port}'}}\n"
        )
        self.programs: list[Program] = []

    def serve(self, *words: str) -> Program:
        log = self.folder / f"{len(self.programs)}.log"
        program = Program("collector", ["serve", "--config", str(self.config), *words], log)
        self.programs.append(program)
        return program


def said(program: Program, event: str) -> Callable[[], bool]:
    return lambda: program.process.poll() is not None or event in program.log.read_text()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    for program in server.programs:
        if program.process.poll() is None:
            program.kill()


def test_it_serves_and_ends_whole(server: Server) -> None:
    program = server.serve()
    wait_for(said(program, "collector is ready"), "the collector")
    wait_for(said(program, "listening to boxes"), "the broker's connection")
    assert is_open(server.broker_port)
    assert is_open(server.web_port)
    began = time.monotonic()
    assert program.stop(20) == 0
    assert time.monotonic() - began < 8
    assert not is_open(server.broker_port)
    assert program.lines("warning", "error", "critical") == []


def test_a_second_collector_over_the_same_data_is_refused(server: Server) -> None:
    first = server.serve()
    wait_for(said(first, "collector is ready"), "the collector")
    second = server.serve()
    assert second.process.wait(20) == 1
    assert "another collector runs the part ingest here. Stop it first" in second.log.read_text()
    assert first.process.poll() is None


def test_a_taken_port_is_told(server: Server) -> None:
    with socket.create_server(("127.0.0.1", server.web_port)):
        program = server.serve()
        assert program.process.wait(20) == 1
    assert f"127.0.0.1:{server.web_port} cannot be listened on: Address already in use" in program.log.read_text()


def test_ingest_alone_needs_a_port_for_uploads(server: Server) -> None:
    program = server.serve("--only", "ingest")
    assert program.process.wait(20) == 78
    assert "uploads.listen: is missing" in program.log.read_text()


def test_parts_run_as_processes_of_their_own(server: Server) -> None:
    upload_port = free_port()
    server.config.write_text(server.config.read_text() + f"uploads: {{listen: '127.0.0.1:{upload_port}'}}\n")
    programs = [server.serve("--only", "ingest,alerts,fleet"), server.serve("--only", "web")]
    for program in programs:
        wait_for(said(program, "collector is ready"), "the collector")
    assert is_open(upload_port)
    assert is_open(server.web_port)
    assert [program.stop(20) for program in programs] == [0, 0]


def test_the_broker_does_not_outlive_a_killed_collector(server: Server) -> None:
    program = server.serve()
    wait_for(said(program, "listening to boxes"), "the collector")
    match = re.search(r'"pid": (\d+)', program.log.read_text())
    assert match
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.wait(10)
    wait_for(lambda: not is_open(server.broker_port), "the broker to end", 10)
    again = server.serve()
    wait_for(said(again, "listening to boxes"), "the next collector")
    assert again.stop(20) == 0


def test_a_start_with_another_configuration_is_a_line_of_the_audit_log(server: Server) -> None:
    def lines_after_a_start() -> int:
        program = server.serve("--only", "web")
        wait_for(said(program, "collector is ready"), "the collector")
        assert program.stop(20) == 0
        database = open_database(sqlite_url(server.folder / "data" / "collector.sqlite"))
        with database.read() as connection:
            lines = audit.list_lines(connection, audit.Sought(by="collector"))
        database.close()
        assert {(line.action, line.thing) for line in lines} == {("configure", "file")}
        return len(lines)

    assert [lines_after_a_start(), lines_after_a_start()] == [1, 1]
    with server.config.open("a") as config:
        config.write("time_zone: UTC\n")
    assert lines_after_a_start() == 2
