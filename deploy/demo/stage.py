"""The demo's folder: configuration files in the form of configs/, secrets, and who is registered."""

import json
import re
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.programs import Program, StepFailed, executable, run_step

ADMINISTRATOR = "demo"
BROKER_USER = "collector"
BOX = "demo-box"
_MOSQUITTO = Path(__file__).resolve().parents[1] / "mosquitto"


@dataclass(frozen=True)
class Camera:
    """A camera to show; `sub` is its small stream."""

    name: str
    source: str
    sub: str | None = None


def camera_of(text: str) -> Camera:
    """NAME=SOURCE as given to --camera. A file is made absolute. Raises ValueError."""
    name, equals, source = text.partition("=")
    if not equals or not source:
        raise ValueError(f"{text!r}: write NAME=SOURCE, such as door=rtsp://192.168.1.20/stream")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(f"{name!r}: a camera's name is 1–40 of a–z, 0–9, _ and -")
    if "://" in source or source.startswith("usb:"):
        return Camera(name, source)
    path, question, options = source.partition("?")
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file")
    return Camera(name, f"{file}{question}{options}")


def port_is_free(port: int) -> bool:
    """True when a server could listen there on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """All files of one demo under `folder`; kept between runs when the folder is."""

    def __init__(self, folder: Path, port: int, *, own_broker: bool) -> None:
        self.folder = folder
        self.port = port
        self._own_broker = own_broker
        self._broker_port = free_port()
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._collector_config = folder / "collector.yaml"
        self._edge_config = folder / "edge.yaml"
        self._box_secret = folder / "box.secret"
        self._password_file = folder / "login.secret"

    @property
    def url(self) -> str:
        """Of pages, API and uploads."""
        return f"http://127.0.0.1:{self.port}"

    def set_up_collector(self) -> str:
        """Writes the collector's configuration, makes administrator and box; returns the administrator's password."""
        if self._own_broker:
            broker = f"broker: {{embedded: true, listen: {_quoted(f'127.0.0.1:{self._broker_port}')}}}\n"
        else:
            if not (self.folder / "broker.secret").exists():
                self._write_secret(self.folder / "broker.secret", secrets.token_urlsafe(24))
            broker = (
                f"broker: {{host: 127.0.0.1, port: {self._broker_port}, user: {BROKER_USER}, "
                "password_file: broker.secret}\n"
            )
        self._collector_config.write_text(
            f"data: {_quoted(self.folder / 'collector')}\n"
            f"{broker}"
            f"http: {{listen: {_quoted(f'127.0.0.1:{self.port}')}}}\n"
            # A laptop's disk may be nearly full: the demo is small.
            "uploads: {keep_free: 100MiB}\n"
            "retention: {keep_free: 100MiB}\n"
            "alerts:\n"
            # The street's visits are seconds apart; so each is an incident of its own.
            "  incident_gap: 6s\n"
            "  rules:\n"
            "    - {name: demo, cool_down: 5s, rings_an_hour: 1000}\n",
            encoding="utf-8",
        )
        return self._register()

    def _register(self) -> str:
        config = ["--config", str(self._collector_config)]
        if not self._password_file.exists():
            # The file gets its name when the user is there: a start that was cut off is made anew.
            unregistered = self._password_file.with_suffix(".new")
            self._write_secret(unregistered, "-".join(secrets.token_hex(2) for _ in range(4)))
            role = ["--role", "administrator", "--password-file", str(unregistered)]
            run_step([executable("collector"), "user", "add", ADMINISTRATOR, *role, *config])
            unregistered.rename(self._password_file)
        if not self._box_secret.exists():
            where = ["--site", "demo", "--commune", "demo", "--secret-file", str(self._box_secret)]
            run_step([executable("collector"), "box", "add", BOX, *where, *config])
        return self._password_file.read_text(encoding="utf-8").strip()

    def set_up_agent(self, cameras: list[Camera]) -> None:
        """Writes the agent's configuration."""
        lines = [
            f"box: {BOX}",
            f"data: {_quoted(self.folder / 'agent')}",
            "heartbeat: 5s",
            "broker:",
            "  host: 127.0.0.1",
            f"  port: {self._broker_port}",
            "  password_file: box.secret",
            "collector:",
            f"  url: {self.url}",
            "disk: {budget: 2GiB, keep_free: 100MiB, keep_free_share: 0}",
            "cameras:",
        ]
        for camera in cameras:
            lines += [f"  - name: {camera.name}", f"    source: {_quoted(camera.source)}"]
            if camera.sub is not None:
                lines.append(f"    sub: {_quoted(camera.sub)}")
        self._edge_config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._edge_config.chmod(0o600)  # an address may hold a password

    def mosquitto(self) -> Program:
        """Debian's broker with deploy/mosquitto, knowing the collector and the box. Raises StepFailed."""
        server = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        tool = shutil.which("mosquitto_passwd")
        if server is None or tool is None:
            raise StepFailed("--broker mosquitto needs Mosquitto: sudo apt-get install mosquitto")
        folder = self.folder / "mosquitto"
        (folder / "state").mkdir(parents=True, exist_ok=True)
        passwords = folder / "passwords"
        passwords.unlink(missing_ok=True)
        self._write_secret(passwords, "")
        for user, secret in ((BROKER_USER, self.folder / "broker.secret"), (BOX, self._box_secret)):
            run_step([tool, "-b", str(passwords), user, secret.read_text(encoding="utf-8").strip()])
        deployed = (_MOSQUITTO / "vonggac.conf").read_text(encoding="utf-8")
        shutil.copyfile(_MOSQUITTO / "acl", folder / "acl")
        ours = (
            deployed.replace("/etc/mosquitto/vonggac.passwd", str(passwords))
            .replace("/etc/mosquitto/vonggac.acl", str(folder / "acl"))
            .replace("listener 1883 127.0.0.1", f"listener {self._broker_port} 127.0.0.1")
        )
        config = folder / "mosquitto.conf"
        # Started by root it would give up root's rights and could not read this folder.
        config.write_text(f"user root\npersistence_location {folder}/state/\n{ours}", encoding="utf-8")
        return Program("mosquitto", [server, "-c", str(config)], self.logs / "mosquitto.log")

    def collector(self) -> Program:
        """The collector, not yet started."""
        command = [executable("collector"), "serve", "--config", str(self._collector_config)]
        return Program("collector", command, self.logs / "collector.log")

    def agent(self) -> Program:
        """The agent, not yet started."""
        command = [executable("edge-agent"), "run", "--config", str(self._edge_config)]
        return Program("edge-agent", command, self.logs / "edge-agent.log")

    def _write_secret(self, file: Path, secret: str) -> None:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(f"{secret}\n" if secret else "", encoding="utf-8")


def _quoted(value: object) -> str:
    """As a double-quoted YAML scalar."""
    return json.dumps(str(value), ensure_ascii=False)
