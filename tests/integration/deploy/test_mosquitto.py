"""deploy/mosquitto as it stands, in a real Mosquitto, under a main file like Debian's."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.support.brokers import free_port, mosquitto_path

DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "mosquitto"
USERS = ("collector", "box-one", "box-two")

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.skipif(
        mosquitto_path() is None or shutil.which("mosquitto_passwd") is None,
        reason="needs Mosquitto: apt-get install mosquitto",
    ),
]


class Broker:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        (folder / "conf.d").mkdir()
        (folder / "state").mkdir()
        passwords = folder / "passwords"
        passwords.touch()
        for user in USERS:
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, f"{user}-secret"], check=True)
        deployed = (DEPLOYED / "vonggac.conf").read_text(encoding="utf-8")
        ours = (
            deployed.replace("/etc/mosquitto/vonggac.passwd", str(passwords))
            .replace("/etc/mosquitto/vonggac.acl", str(DEPLOYED / "acl"))
            .replace("listener 1883 127.0.0.1", f"listener {self.port} 127.0.0.1")
        )
        (folder / "conf.d" / "vonggac.conf").write_text(ours, encoding="utf-8")
        self._main = folder / "mosquitto.conf"
        self._main.write_text(
            f"persistence true\npersistence_location {folder}/state/\nuser root\ninclude_dir {folder}/conf.d\n"
        )
        self.database = folder / "state" / "mosquitto.db"
        self.start()

    def start(self) -> None:
        command = [str(mosquitto_path()), "-c", str(self._main)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


class Client:
    """A client that remembers what it was told."""

    def __init__(self, broker: Broker, user: str, secret: str | None = None, client_id: str | None = None) -> None:
        self.user = user
        self.connected = threading.Event()
        self.ended = threading.Event()
        self.refused: list[str] = []
        self.granted: dict[int, list[bool]] = {}
        self.published: dict[int, bool] = {}
        self.heard: list[tuple[str, bytes]] = []
        self.changed = threading.Condition()
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id or user,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        self.mqtt.username_pw_set(user, secret or f"{user}-secret")
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_disconnect = lambda *_: self.ended.set()
        self.mqtt.on_message = self._on_message
        self.mqtt.on_subscribe = self._on_subscribe
        self.mqtt.on_publish = self._on_publish
        until = time.monotonic() + 10
        while True:
            try:
                self.mqtt.connect("127.0.0.1", broker.port)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < until, "the broker does not start"
                threading.Event().wait(0.02)
        self.mqtt.loop_start()

    def _on_connect(
        self, _client: object, _data: object, _flags: object, reason: mqtt.ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:
            self.refused.append(str(reason))
            self.ended.set()
        else:
            self.connected.set()

    def _on_subscribe(self, _c: object, _d: object, mid: int, reasons: list[mqtt.ReasonCode], _props: object) -> None:
        with self.changed:
            self.granted[mid] = [not reason.is_failure for reason in reasons]
            self.changed.notify_all()

    def _on_publish(self, _c: object, _d: object, mid: int, reason: mqtt.ReasonCode, _props: object) -> None:
        with self.changed:
            self.published[mid] = not reason.is_failure
            self.changed.notify_all()

    def _on_message(self, _c: object, _d: object, message: mqtt.MQTTMessage) -> None:
        with self.changed:
            self.heard.append((message.topic, message.payload))
            self.changed.notify_all()

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> bool:
        """True when the broker took it."""
        with self.changed:
            mid = self.mqtt.publish(topic, payload, qos=1, retain=retain).mid
            assert self.changed.wait_for(lambda: mid in self.published, 5), "no PUBACK"
            return self.published[mid]

    def subscribe(self, topic: str) -> None:
        with self.changed:
            _, mid = self.mqtt.subscribe(topic, qos=1)
            assert mid is not None
            assert self.changed.wait_for(lambda: mid in self.granted, 5), "no SUBACK"

    def hears(self, payload: str, within_s: float = 5) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: any(heard == payload.encode() for _, heard in self.heard), within_s)

    def end(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def join(broker: Broker) -> Iterator[type]:
    clients: list[Client] = []

    def joined(user: str, **how: str) -> Client:
        client = Client(broker, user, **how)
        clients.append(client)
        assert client.connected.wait(5), client.refused
        return client

    yield joined  # type: ignore[misc]
    for client in clients:
        client.end()


def test_a_box_speaks_under_its_own_name_and_the_collector_answers_it(join: type) -> None:
    collector, box = join("collector"), join("box-one")
    collector.subscribe("vg/1/+/up/#")
    box.subscribe("vg/1/box-one/down/#")
    assert box.publish("vg/1/box-one/up/event", "motion")
    assert collector.hears("motion")
    assert collector.publish("vg/1/box-one/down/receipt", "have it")
    assert box.hears("have it")


@pytest.mark.parametrize(
    "topic",
    [
        "vg/1/box-two/up/event",
        "vg/1/box-one/down/receipt",
        "vg/1/box-two/down/command",
        "vg/1/collector/up/event",
        "vg/2/box-one/up/event",
        "vg/1/box-one/up",
        "elsewhere",
    ],
)
def test_a_box_cannot_publish_anywhere_else(join: type, topic: str) -> None:
    collector, box = join("collector"), join("box-one")
    collector.subscribe("vg/1/#")
    if topic != "vg/1/box-one/up":  # what `up/#` covers too; nobody reads it
        assert not box.publish(topic, "forged")
    assert box.publish("vg/1/box-one/up/event", "afterwards")
    assert collector.hears("afterwards")
    assert not any(payload == b"forged" for _, payload in collector.heard)


def test_a_box_cannot_read_what_is_meant_for_another_not_even_by_wildcard(join: type) -> None:
    collector, other, box = join("collector"), join("box-two"), join("box-one")
    for topic in ("#", "vg/#", "vg/1/+/down/#", "vg/1/box-two/#", "vg/1/box-two/up/event", "$SYS/#"):
        box.subscribe(topic)
    box.subscribe("vg/1/box-one/down/#")
    assert other.publish("vg/1/box-two/up/event", "secret of two")
    assert collector.publish("vg/1/box-two/down/receipt", "receipt of two")
    assert collector.publish("vg/1/box-one/down/receipt", "receipt of one")
    assert box.hears("receipt of one")
    assert {topic.split("/")[2] for topic, _ in box.heard} == {"box-one"}


@pytest.mark.parametrize(
    ("user", "secret"), [("box-one", "wrong"), ("nobody", "x"), ("box-one", "box-two-secret"), ("#", "x"), ("+", "x")]
)
def test_nobody_gets_in_without_their_own_secret(broker: Broker, user: str, secret: str) -> None:
    client = Client(broker, user, secret)
    assert client.ended.wait(5)
    assert client.refused
    client.end()


def test_another_s_client_id_takes_nothing_over(broker: Broker, join: type) -> None:
    victim = join("box-two")
    join("box-one", client_id="box-two")
    assert victim.publish("vg/1/box-two/up/event", "still here")
    assert not victim.ended.is_set()


def test_what_was_acknowledged_survives_a_kill(broker: Broker, join: type) -> None:
    box = join("box-one")
    assert box.publish("vg/1/box-one/up/status", "online", retain=True)
    until = time.monotonic() + 10  # autosave_interval: within a second or two
    while not (broker.database.exists() and b"online" in broker.database.read_bytes()):
        assert time.monotonic() < until, "nothing is saved"
        threading.Event().wait(0.05)
    broker.kill()
    broker.start()
    reader = join("collector")
    reader.subscribe("vg/1/+/up/#")
    assert reader.hears("online")
