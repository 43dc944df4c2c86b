"""A collector that knows boxes by certificate, with its broker, as processes: System with `identity`."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.support.brokers import free_port, mosquitto_path
from tests.support.system import Program, System, program, wait_for

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "mosquitto_dynamic_security.so"


def plugin_path() -> Path | None:
    """Where Debian puts the plugin on this machine."""
    return next(iter(sorted(Path("/usr/lib").glob(f"*/{PLUGIN}"))), None)


class CertifiedMosquitto:
    """deploy/mosquitto/identity.conf as it stands, in a real Mosquitto; `folder` is /etc/mosquitto/vonggac.

    A thread does what vonggac-revoked.path and .service do: bring the new list and reload.
    """

    def __init__(self, folder: Path, port: int, revoked: Path, within: Sequence[str] = ()) -> None:
        self.folder = folder
        self._source, self._ended = revoked, threading.Event()
        (folder.parent / "state").mkdir()
        text = (ROOT / "deploy" / "mosquitto" / "identity.conf").read_text(encoding="utf-8")
        text = text.replace("/etc/mosquitto/vonggac", str(folder)).replace("listener 8883", f"listener {port}")
        lines = [f"plugin {plugin_path()}" if line.startswith("plugin ") else line for line in text.splitlines()]
        self._main = folder.parent / "mosquitto.conf"
        state = folder.parent / "state"
        self._main.write_text(f"user root\npersistence_location {state}/\n" + "\n".join(lines), encoding="utf-8")
        self.log = folder.parent / "mosquitto.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*within, str(mosquitto_path()), "-c", str(self._main)], stdout=log, stderr=log
            )
        self._thread = threading.Thread(target=self._bring)
        self._thread.start()

    def _bring(self) -> None:
        target = self.folder / "revoked.pem"
        while not self._ended.wait(0.2):
            if self._source.read_bytes() != target.read_bytes():
                shutil.copy(self._source, target)
                os.kill(self.process.pid, signal.SIGHUP)

    def kill(self) -> None:
        self._ended.set()
        self._thread.join(5)
        self.process.kill()
        self.process.wait(10)


class Certified(System):
    """`kind` is nats or mosquitto; boxes enrol with bundles. `within` runs the server elsewhere, where `host` is."""

    def __init__(
        self, folder: Path, kind: str, life: str = "365d", host: str = "127.0.0.1", within: Sequence[str] = ()
    ) -> None:
        self.door_port = free_port()
        port = free_port()
        secret = folder / "authority.secret"
        secret.write_text("mot-mat-khau-du-dai-cho-khoa\n", encoding="utf-8")
        secret.chmod(0o600)
        options = (
            f"identity: {{listen: '{host}:{self.door_port}', names: [{host}], broker_port: {port}, "
            f"key_password_file: authority.secret, certificate_life: {life}}}\n"
        )
        broker = f"{{host: {host}, port: {port}}}"
        if kind == "nats":
            broker = f"{{embedded: true, listen: '{host}:{port}'}}"
        super().__init__(folder, options, broker, host)
        self.broker_port = port
        self.run("authority", "init")
        self.mosquitto: CertifiedMosquitto | None = None
        if kind == "mosquitto":
            self.run("authority", "broker", str(folder / "broker" / "vonggac"))
            revoked = folder / "server" / "identity" / "revoked.pem"
            self.mosquitto = CertifiedMosquitto(folder / "broker" / "vonggac", port, revoked, within)

    def serve_within(self, within: Sequence[str]) -> None:
        """Start the collector elsewhere, and wait until it says that it is ready."""
        arguments = ["serve", "--config", str(self._config)]
        self.collector = Program("collector", arguments, self.folder / "collector.log", within)
        wait_for(lambda: "collector is ready" in (self.folder / "collector.log").read_text(), "the collector", 60)

    def enrol(self, box: str, bundle: Path, name: str = "", within: Sequence[str] = ()) -> Path:
        """The box's configuration, which enrolment wrote; its data stands beside it."""
        config = self.folder / f"{name or box}.yaml"
        data = self.folder / (name or box)
        command = [*within, program("edge-agent"), "enrol", str(bundle), "--config", str(config), "--data", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr + done.stdout
        return config

    def start_enrolled(self, config: Path, within: Sequence[str] = ()) -> Program:
        """Start its agent, with more heartbeats than usual."""
        text = config.read_text(encoding="utf-8")
        if "heartbeat" not in text:
            config.write_text(text + "heartbeat: 2s\n", encoding="utf-8")
        agent = Program("edge-agent", ["run", "--config", str(config)], config.with_suffix(".log"), within)
        self.boxes[config.stem] = agent
        return agent

    def kill(self) -> None:
        super().kill()
        if self.mosquitto is not None:
            self.mosquitto.kill()
