"""The programs that are compared, each started as a user would start it, all looking at the same two RTSP streams."""

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests


@dataclass(frozen=True)
class Streams:
    """`cameras` that all show the same: the main stream, and the small one where the run has one."""

    main: str
    sub: str | None
    cameras: int = 1
    sub_fps: int = 10


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """A program of this environment, else one on PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name) or name


class Ours:
    """The agent, with a real collector and its embedded broker beside it; only the agent is measured."""

    name = "vonggac"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._collector: subprocess.Popen[bytes] | None = None
        self._broker_port = free_port()
        self._http_port = free_port()

    def prepare(self, streams: Streams) -> list[str]:
        """Start what stands around it; returns the command that is measured."""
        self._folder.mkdir(parents=True)
        collector_yaml = self._folder / "collector.yaml"
        collector_yaml.write_text(
            f"data: server\nbroker: {{embedded: true, listen: '127.0.0.1:{self._broker_port}'}}\n"
            f"http: {{listen: '127.0.0.1:{self._http_port}'}}\n",
            encoding="utf-8",
        )
        secret = self._folder / "box.secret"
        box_add = ["box", "add", "bench-box", "--site", "bench", "--commune", "bench", "--secret-file", str(secret)]
        subprocess.run(
            [program("collector"), *box_add, "--config", str(collector_yaml)], check=True, stdout=subprocess.DEVNULL
        )
        with (self._folder / "collector.log").open("wb") as log:
            self._collector = subprocess.Popen(
                [program("collector"), "serve", "--config", str(collector_yaml)], stderr=log, stdout=log
            )
        _wait_for_http(f"http://127.0.0.1:{self._http_port}/healthz")
        edge_yaml = self._folder / "edge.yaml"
        sub = f", sub: '{streams.sub}'" if streams.sub else ""
        edge_yaml.write_text(
            "box: bench-box\ndata: box\n"
            f"broker: {{host: 127.0.0.1, port: {self._broker_port}, password_file: box.secret}}\n"
            f"collector: {{url: 'http://127.0.0.1:{self._http_port}'}}\n"
            "cameras:\n"
            + "".join(
                f"- {{name: street-{number}, source: '{streams.main}'{sub}, pre_roll: 5s}}\n"
                for number in range(streams.cameras)
            ),
            encoding="utf-8",
        )
        return [program("edge-agent"), "run", "--config", str(edge_yaml)]

    def clean(self) -> None:
        """End what stands around it."""
        if self._collector is not None:
            self._collector.terminate()
            self._collector.wait(30)


class Motion:
    """Motion from Debian: looks at the small stream, passes the large one through, five seconds of pre-capture."""

    name = "motion"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, streams: Streams) -> list[str]:
        """Write its configuration; returns the command that is measured."""
        clips = self._folder / "clips"
        clips.mkdir(parents=True)
        looked, rate = (streams.sub, streams.sub_fps) if streams.sub else (streams.main, 25)
        program_lines = ["daemon off", "log_level 4", "webcontrol_port 0", "stream_port 0"]
        lines = [
            f"netcam_url {looked}",
            *([f"netcam_high_url {streams.main}"] if streams.sub else []),
            "netcam_params rtsp_transport=tcp",
            *([f"width {640 if streams.sub else 1920}", f"height {360 if streams.sub else 1080}"]),
            f"framerate {rate}",
            f"pre_capture {5 * rate}",
            "event_gap 3",
            "movie_output on",
            "movie_passthrough on",
            "picture_output first",
        ]
        for number in range(streams.cameras):
            camera = self._folder / f"camera{number}.conf"
            own = [f"camera_id {number + 1}", f"target_dir {clips / str(number)}"]
            camera.write_text("\n".join(lines + own) + "\n", encoding="utf-8")
            program_lines.append(f"camera {camera}")
        config = self._folder / "motion.conf"
        config.write_text("\n".join(program_lines) + "\n", encoding="utf-8")
        return [program("motion"), "-n", "-c", str(config)]

    def clean(self) -> None:
        """Nothing stands around it."""


class Floor:
    """What FFmpeg's libraries need for less than the work: a bare loop in a process of its own."""

    def __init__(self, folder: Path, work: str) -> None:
        self.name = f"floor: {work}"
        self._folder = folder
        self._work = work

    def prepare(self, streams: Streams) -> list[str]:
        """The command that is measured."""
        self._folder.mkdir(parents=True)
        looked = streams.sub or streams.main
        copied = [streams.main] if streams.sub else []
        return [sys.executable, "-m", "benchmarks.cost.floors", self._work, looked, *copied]

    def clean(self) -> None:
        """Nothing stands around it."""


Contender = Ours | Motion | Floor


def clips_made(folder: Path) -> int:
    """Video files beneath a contender's folder: a contender that recorded nothing did not do the work."""
    return sum(1 for path in folder.rglob("*") if path.suffix in (".mp4", ".mkv") and "server" not in path.parts)


def _wait_for_http(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer: see the log beside its configuration (pid {os.getpid()})")
