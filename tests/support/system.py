"""The real programs as separate processes on free loopback ports: a collector with its broker, and boxes."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.support.brokers import free_port

Found = TypeVar("Found")
PASSWORD = "mat-khau-cua-bai-thu"


def program(name: str) -> str:
    """A program of the environment that runs the tests."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed beside {sys.executable}"
    return found


def wait_for(find: Callable[[], Found | None], what: str, within_s: float = 30.0, *, every_s: float = 0.1) -> Found:
    """Ask until there is an answer; fails with `what` was waited for."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(every_s)
    raise AssertionError(f"waited {within_s} s in vain for {what}")


class Program:
    """One process with its log; `within` is a command that runs it elsewhere, such as in a network namespace."""

    def __init__(self, name: str, arguments: list[str], log: Path, within: Sequence[str] = ()) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen([*within, program(name), *arguments], stdout=file, stderr=file)

    def stop(self, within_s: float = 40.0) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def lines(self, *levels: str) -> list[dict[str, Any]]:
        """Log lines of these levels; whatever is no JSON line counts as an error."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"level": "error", "event": line}
            if entry.get("level") in levels:
                found.append(entry)
        return found


class System:
    """A collector and its boxes in one folder; it listens on `host`."""

    def __init__(self, folder: Path, collector_options: str = "", broker: str = "", host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.port, self.broker_port = free_port(), free_port()
        broker = broker or f"{{embedded: true, listen: '{host}:{self.broker_port}'}}"
        self._config = folder / "collector.yaml"
        closed = "" if host == "127.0.0.1" or "identity:" in collector_options else "closed_network: true\n"
        self._config.write_text(
            f"data: server\nbroker: {broker}\nhttp: {{listen: '{host}:{self.port}'}}\n{closed}{collector_options}",
            encoding="utf-8",
        )
        self.url = f"http://{host}:{self.port}"
        self.boxes: dict[str, Program] = {}
        self.collector: Program | None = None
        self.session = requests.Session()

    def run(self, *arguments: str) -> str:
        """A command of the collector; returns what it printed."""
        command = [program("collector"), *arguments, "--config", str(self._config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def serve(self) -> None:
        """Start the collector and wait until it answers."""
        self.launch()
        wait_for(self._answers, "the collector", 60)

    def launch(self) -> Program:
        """Start the collector without waiting."""
        log = self.folder / "collector.log"
        self.collector = Program("collector", ["serve", "--config", str(self._config)], log)
        return self.collector

    def _answers(self) -> bool:
        assert self.collector is not None
        assert self.collector.process.poll() is None, self.collector.log.read_text()
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except requests.RequestException:
            return False

    def add_box(self, box: str) -> None:
        """Register a box; its secret stands in `<box>.secret`."""
        secret = str(self.folder / f"{box}.secret")
        self.run("box", "add", box, "--site", "Ngõ 12", "--commune", "Xã Thử", "--secret-file", secret)

    def start_box(self, box: str, cameras: str, broker_options: str = "") -> Program:
        """Start an agent; `cameras` is the YAML list of its cameras."""
        config = self.folder / f"{box}.yaml"
        config.write_text(
            f"box: {box}\ndata: {box}\nheartbeat: 2s\n"
            f"broker: {{{broker_options}host: 127.0.0.1, port: {self.broker_port}, password_file: {box}.secret}}\n"
            f"collector: {{url: '{self.url}'}}\ncameras: {cameras}\n",
            encoding="utf-8",
        )
        agent = Program("edge-agent", ["run", "--config", str(config)], self.folder / f"{box}.log")
        self.boxes[box] = agent
        return agent

    def sign_in(self, name: str = "thu", role: str = "administrator") -> requests.Session:
        """Make a user and sign in."""
        password_file = self.folder / f"{name}.password"
        password_file.write_text(PASSWORD, encoding="utf-8")
        password_file.chmod(0o600)
        self.run("user", "add", name, "--role", role, "--password-file", str(password_file))
        page = self.session.get(f"{self.url}/login", timeout=10).text
        tie = re.search(r'name="form" value="([^"]+)"', page)
        assert tie
        answer = self.session.post(
            f"{self.url}/login", data={"form": tie[1], "name": name, "password": PASSWORD}, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return self.session

    def api(self, path: str, **query: str) -> Any:
        """What GET /api/v1/… says; lists come as their items."""
        answer = self.session.get(f"{self.url}/api/v1/{path}", params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found["items"] if isinstance(found, dict) and "items" in found else found

    def stop(self) -> dict[str, int]:
        """End everything in order; exit codes by name."""
        codes = {box: agent.stop() for box, agent in self.boxes.items()}
        if self.collector is not None:
            codes["collector"] = self.collector.stop()
        return codes

    def kill(self) -> None:
        """End whatever still runs."""
        for one in [*self.boxes.values(), *([self.collector] if self.collector else [])]:
            if one.process.poll() is None:
                one.kill()
