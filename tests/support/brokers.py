"""Real brokers on free loopback ports: NATS from its wheel, Mosquitto from Debian; both know boxes and a collector."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

BOX_SECRET = "box-secret"
COLLECTOR_SECRET = "collector-secret"
COLLECTOR = "collector"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mosquitto_path() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class RealBroker:
    """A broker process; `stop` and `start` cut and mend, `wipe` loses its state."""

    protocols: tuple[str, ...] = ()

    def __init__(
        self, folder: Path, boxes: Sequence[str], secrets: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        self.folder = folder
        self.secrets = {box: (secrets or {}).get(box, BOX_SECRET) for box in boxes}
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.command = self._configure()

    def _configure(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
            except OSError:
                if self._process.poll() is not None:
                    raise RuntimeError((self.folder / "broker.log").read_text()) from None
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("broker does not answer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def wipe(self) -> None:
        """Lose everything it kept; only while it is dead."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)


class Nats(RealBroker):
    protocols = ("3.1.1",)

    def _configure(self) -> list[str]:
        users = [f'{{user: "{COLLECTOR}", password: "{COLLECTOR_SECRET}"}}']
        users += [
            f'{{user: "{box}", password: "{secret}", permissions: {{publish: ["vg.1.{box}.up.>"], '
            f'subscribe: ["vg.1.{box}.down", "vg.1.{box}.down.>", "$MQTT.sub.>"]}}}}'
            for box, secret in self.secrets.items()
        ]
        config = self.folder / "nats.conf"
        config.write_text(
            f'server_name: "test"\nhost: "127.0.0.1"\nport: {free_port()}\njetstream {{ store_dir: "state" }}\n'
            f'mqtt {{ host: "127.0.0.1", port: {self.port} }}\nauthorization {{ users: [{", ".join(users)}] }}\n'
        )
        return [str(Path(sys.executable).with_name("nats-server")), "-c", str(config)]


class Mosquitto(RealBroker):
    protocols = ("3.1.1", "5")

    def _configure(self) -> list[str]:
        passwords = self.folder / "passwords"
        passwords.write_text("")
        tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
        for user, secret in [(COLLECTOR, COLLECTOR_SECRET), *self.secrets.items()]:
            subprocess.run([tool, "-b", str(passwords), user, secret], check=True, capture_output=True)
        passwords.chmod(0o644)
        acl = self.folder / "acl"
        acl.write_text(
            f"user {COLLECTOR}\ntopic readwrite vg/1/#\n\npattern write vg/1/%u/up/#\npattern read vg/1/%u/down/#\n"
        )
        acl.chmod(0o644)
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nacl_file {acl}\n"
            "user root\n"
        )
        path = mosquitto_path()
        assert path is not None
        return [path, "-c", str(config)]
