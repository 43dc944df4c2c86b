"""The real programs under trial: boxes with their cameras, the collector, the broker; started again when they die, as
systemd would."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from benchmarks.torture.disks import Disk
from benchmarks.torture.link import Link, Road, Tap
from tests.support.brokers import COLLECTOR, COLLECTOR_SECRET, Mosquitto, free_port
from tests.support.system import program
from vonggac.daemon.crash_points import VARIABLE

PRE_ROLL_S, POST_ROLL_S, END_AFTER_S = 2.0, 1.0, 1.5
_FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def boottime_s() -> float:
    """The clock that the cameras are scheduled by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Life:
    """One run of a program."""

    began_s: float
    ended_s: float | None = None
    asked_s: float | None = None  # when it was asked to end in order: nothing later has to be recorded
    code: int | None = None
    meant: bool = False  # we killed it, or armed a crash point that it died at

    @property
    def watched_until_s(self) -> float:
        """Up to when it looked."""
        return self.asked_s or self.ended_s or 0.0


class Program:
    """One program; `wanted` says whether it is started again after its death."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.lives: list[Life] = []
        self.wanted = False
        self.armed = ""
        self.environment: dict[str, str] = {}
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    def start(self, armed: str = "") -> None:
        """Begin a life unless there is one; `armed` is the crash point that it will die at."""
        with self._lock:
            self.wanted = True
            if self.alive:
                return
            self._note_death()
            self.armed = armed
            environment = {**os.environ, **self.environment}
            if armed:
                environment[VARIABLE] = armed
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment)
            self.lives.append(Life(boottime_s()))

    def kill(self) -> None:
        """SIGKILL, with its children, as a power cut would; it stays dead until started."""
        with self._lock:
            self.wanted = False
            if self._process is None or self._process.poll() is not None:
                self._note_death()
                return
            life = self.lives[-1]
            life.meant = True
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for child in children:
                child.kill()
            self._process.wait(10)
            psutil.wait_procs(children, 10)
            self._note_death()

    def stop(self) -> int:
        """SIGTERM, in order; its exit code."""
        with self._lock:
            self.wanted = False
            if self._process is None or self._process.poll() is not None:
                return self.lives[-1].code or 0
            self.lives[-1].meant = True
            self.lives[-1].asked_s = boottime_s()
            self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
        self._note_death()
        return self.lives[-1].code or 0

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def look_after(self) -> None:
        """Note a death, and start again what should live."""
        with self._lock:
            self._note_death()
            if self.wanted and not self.alive:
                self.start()

    def unexpected(self) -> list[Life]:
        """Lives that ended though nobody meant them to."""
        return [life for life in self.lives if life.ended_s is not None and not life.meant]

    def _note_death(self) -> None:
        if self._process is None or not self.lives:
            return
        life = self.lives[-1]
        code = self._process.poll()
        if code is not None and life.ended_s is None:
            life.ended_s, life.code = boottime_s(), code
            life.meant = life.meant or bool(self.armed and code == -9)


@dataclass
class Box:
    """A box, its one camera, its disk and its road."""

    id: str
    disk: Disk
    road: Road
    tap: Tap
    mqtt: Link
    http: Link
    agent: Program
    camera: subprocess.Popen[bytes]
    camera_began_ms: int
    shown: Path  # the first picture that each listener of the camera was given
    clock_file: Path | None
    cards: list[float] = field(default_factory=list)  # when a new card was put in, boottime s


class World:
    """Everything that runs, in one folder."""

    def __init__(self, place: Path, broker: str, boxes: int, rng: random.Random) -> None:
        self.place = place
        self.kind = broker
        self.rng = rng
        self.server_disk = Disk(place, "server", 640, rng)
        self.http_port, self.mqtt_port, self.hook_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._stop = threading.Event()
        self.mosquitto: Mosquitto | None = None
        self.held: list[str] = []  # clips under legal hold
        self.config = place / "collector.yaml"
        self._configure(broker)
        self.collector = Program(
            "collector", [program("collector"), "serve", "--config", str(self.config)], place / "collector.log"
        )
        ids = [f"hop-{number}" for number in range(1, boxes + 1)]
        for box in ids:
            self.command("box", "add", box, "--site", "Ngõ", "--commune", "Xã", "--secret-file", str(self._secret(box)))
        if broker == "mosquitto":
            secrets = {box: self._secret(box).read_text().strip() for box in ids}
            self.mosquitto = Mosquitto(place / "broker", ids, secrets, self.mqtt_port)
            config = place / "broker" / "mosquitto.conf"
            config.write_text(config.read_text() + self._persistence())
        self.boxes = [self._box(box) for box in ids]
        threading.Thread(target=self._look_after, daemon=True).start()

    def _persistence(self) -> str:
        state = self.place / "broker" / "state"
        state.mkdir(exist_ok=True)
        return f"persistence true\npersistence_location {state}/\nautosave_on_changes true\nautosave_interval 1\n"

    def _configure(self, broker: str) -> None:
        where = f"{{embedded: true, listen: '127.0.0.1:{self.mqtt_port}'}}"
        if broker == "mosquitto":
            secret = self.place / "collector.secret"
            secret.write_text(COLLECTOR_SECRET)
            secret.chmod(0o600)
            where = f"{{host: 127.0.0.1, port: {self.mqtt_port}, user: {COLLECTOR}, password_file: {secret}}}"
        hook = self.place / "hook.urls"
        hook.write_text(f"json://127.0.0.1:{self.hook_port}/alerts\n")
        hook.chmod(0o600)
        self.config.write_text(
            f"data: {self.server_disk.folder}/data\nbroker: {where}\nhttp: {{listen: '127.0.0.1:{self.http_port}', "
            f"public_url: 'http://127.0.0.1:{self.http_port}'}}\nuploads: {{keep_free: 24MiB}}\n"
            "retention: {keep_free: 16MiB}\nalerts:\n  incident_gap: 1s\n"
            "  rules: [{name: all, channels: [hook], cool_down: 1s, rings_an_hour: 10000}]\n"
            f"  channels: [{{name: hook, urls_file: {hook}, language: en}}]\n",
            encoding="utf-8",
        )

    def _secret(self, box: str) -> Path:
        return self.place / f"{box}.secret"

    def _box(self, box: str) -> Box:
        disk = Disk(self.place, box, 96, self.rng)
        road, tap = Road(), Tap()
        mqtt = Link(self.mqtt_port, road, random.Random(self.rng.random()), tap)
        http = Link(self.http_port, road, random.Random(self.rng.random()))
        camera_port, began_ms = free_port(), int(boottime_s() * 1000)
        seed = self.rng.randrange(1000)
        shown = self.place / f"{box}.shown"
        shown.touch()
        camera = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.torture.camera", str(camera_port), str(began_ms), str(seed), str(shown)]
        )
        config = self.place / f"{box}.yaml"
        config.write_text(
            f"box: {box}\ndata: {disk.folder}/data\nheartbeat: 2s\n"
            f"broker: {{host: 127.0.0.1, port: {mqtt.port}, password_file: {self._secret(box)}}}\n"
            f"collector: {{url: 'http://127.0.0.1:{http.port}'}}\n"
            "disk: {budget: 40MiB, keep_free: 4MiB, keep_free_share: 0.0}\n"
            f"cameras:\n  - name: gate\n    source: http://127.0.0.1:{camera_port}/live.ts\n"
            f"    pre_roll: {PRE_ROLL_S}s\n    post_roll: {POST_ROLL_S}s\n"
            "    open_deadline: 5s\n    read_deadline: 3s\n"
            f"    motion: {{end_after: {END_AFTER_S}s, masks: [[[0, 0], [1, 0], [1, 0.06], [0, 0.06]]]}}\n",
            encoding="utf-8",
        )
        agent = Program(box, [program("edge-agent"), "run", "--config", str(config)], self.place / f"{box}.log")
        clock_file = None
        if _FAKETIME is not None:
            clock_file = self.place / f"{box}.clock"
            clock_file.write_text("+0s")
            agent.environment = {
                "LD_PRELOAD": str(_FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(clock_file),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_NO_CACHE": "0",
            }
        return Box(box, disk, road, tap, mqtt, http, agent, camera, began_ms, shown, clock_file)

    def _look_after(self) -> None:
        while not self._stop.wait(0.3):
            for one in (self.collector, *(box.agent for box in self.boxes)):
                one.look_after()

    def start(self) -> None:
        """Bring everything up, and wait until the collector answers and every camera has shown its first picture."""
        if self.mosquitto is not None:
            self.mosquitto.start()
        self.collector.start()
        self.wait_for_collector()
        for box in self.boxes:
            box.agent.start()

    def wait_for_collector(self, within_s: float = 60.0) -> None:
        """Until its pages answer."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            try:
                if requests.get(f"{self.url}/healthz", timeout=1).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the collector does not answer; see {self.place / 'collector.log'}")

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the collector."""
        done = subprocess.run(
            [program("collector"), *arguments, "--config", str(self.config)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"collector {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done

    def box_command(self, box: Box, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the agent."""
        command = [program("edge-agent"), *arguments, "--config", str(self.place / f"{box.id}.yaml")]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def hold_a_clip(self) -> None:
        """Put the clip that arrived last under legal hold; nothing while none is there or the server is away."""
        told = self.command("clips", "--json", check=False).stdout.splitlines()
        clips = [
            clip["id"] for clip in map(json.loads, told) if clip["state"] == "stored" and clip["id"] not in self.held
        ]
        if clips and self.command("hold", clips[0], "--reason", "torture", check=False).returncode == 0:
            self.held.append(clips[0])

    def waiting(self, box: Box) -> dict[str, int]:
        """What waits on a box, as its own command says."""
        told = self.box_command(box, "outbox", "--json")
        return dict(json.loads(told.stdout)) if told.returncode == 0 else {}

    def end(self) -> None:
        """Stop the programs in order."""
        for box in self.boxes:
            box.agent.stop()
        self.collector.stop()
        self._stop.set()
        if self.mosquitto is not None:
            self.mosquitto.kill()

    def remove(self, keep: bool) -> None:
        """End whatever still runs, unmount, and take the folder away."""
        self._stop.set()
        for one in (self.collector, *(box.agent for box in self.boxes)):
            one.kill()
        for box in self.boxes:
            box.camera.kill()
            box.camera.wait()
        if self.mosquitto is not None:
            self.mosquitto.kill()
        for disk in (self.server_disk, *(box.disk for box in self.boxes)):
            if keep and disk.real:
                shutil.copytree(disk.folder, disk.folder.with_name(f"{disk.folder.name}.kept"), dirs_exist_ok=True)
            disk.unmount()
        if not keep:
            shutil.rmtree(self.place, ignore_errors=True)
