"""The table of abuses at the broker: real Mosquitto with deploy/mosquitto/identity.conf, and the embedded NATS.

Every session here is what a thief could open with what a box has, or without.
"""

import shutil
import socket
import sqlite3
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.identity.authority import Authority, KeyFile, make_authority
from collector.identity.certificates import make_client, pem
from edge_agent.identity.credentials import Credentials
from edge_agent.identity.folder import Identity
from tests.support.brokers import mosquitto_path
from tests.support.certified import Certified, plugin_path
from tests.support.office import pem_of
from tests.support.system import wait_for

PASSWORD = "mot-mat-khau-du-dai-cho-khoa"
BOXES = ("box-one", "box-two", "box-gone")
WITHIN_S = 60

KINDS = [
    "nats",
    pytest.param(
        "mosquitto",
        marks=[
            pytest.mark.mosquitto,
            pytest.mark.skipif(
                mosquitto_path() is None or plugin_path() is None, reason="needs Mosquitto: apt-get install mosquitto"
            ),
        ],
    ),
]


class Post:
    """The collector, its broker, and boxes that are enrolled; their own agents do not run."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind = kind
        self.folder = folder
        self.system = Certified(folder, kind)
        self.system.serve()
        for box in BOXES:
            bundle = folder / f"{box}.bundle"
            self.system.run(
                "box", "add", box, "--site", "S", "--commune", "C", "--camera", "g=x.mp4", "--bundle", str(bundle)
            )
            self.system.enrol(box, bundle)
        for box in BOXES:
            wait_for(lambda box=box: self._can_speak(box), f"{box} to be known to the broker", 20)  # type: ignore[misc]

    def _can_speak(self, box: str) -> bool:
        session = Session(self, box)
        try:
            return bool(session.up.wait(2) and session.subscribe(f"vg/1/{box}/down/#"))
        finally:
            session.end()

    def pem(self, box: str) -> Path:
        return self.folder / box / "identity" / "tls.pem"

    @property
    def authority_folder(self) -> Path:
        return self.folder / "server" / "identity"

    def forge(self, cn: str, authority: Authority, life: timedelta = timedelta(days=1)) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        made = authority.sign_box(key.public_key(), cn, time.time_ns() // 1_000_000, life)
        file = self.folder / f"forged-{time.monotonic_ns()}.pem"
        file.write_bytes(pem_of(key) + pem(made))
        return file

    def heard_of(self, text: str) -> int:
        """How many unreadable messages with these bytes the collector has kept aside."""
        with sqlite3.connect(f"file:{self.folder}/server/collector.sqlite?mode=ro", uri=True) as rows:
            return int(
                rows.execute("SELECT count(*) FROM kept_aside WHERE instr(payload, ?)", (text.encode(),)).fetchone()[0]
            )


class Session:
    """A paho client with any certificate, client id and TLS."""

    def __init__(
        self,
        post: Post,
        box: str,
        *,
        file: Path | None = None,
        client_id: str | None = None,
        context: ssl.SSLContext | None = None,
        plain: bool = False,
        user: tuple[str, str] | None = None,
    ) -> None:
        self.up, self.down = threading.Event(), threading.Event()
        self.refused = ""
        self.heard: list[str] = []
        self._granted: dict[int, bool] = {}
        self._done: dict[int, bool] = {}
        self._changed = threading.Condition()
        version = MQTTProtocolVersion.MQTTv5 if post.kind == "mosquitto" else MQTTProtocolVersion.MQTTv311
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id or box, protocol=version, reconnect_on_failure=False
        )
        if user is not None:
            self.mqtt.username_pw_set(*user)
        if not plain:
            self.mqtt.tls_set_context(context or trusting(post, file or post.pem(box)))
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_disconnect = lambda *_: self.down.set()
        self.mqtt.on_message = lambda _c, _d, message: self.heard.append(message.topic)
        self.mqtt.on_subscribe = self._on_subscribe
        self.mqtt.on_publish = self._on_publish
        try:
            self.mqtt.connect("127.0.0.1", post.system.broker_port)
        except (OSError, ValueError) as error:
            self.refused = getattr(error, "reason", None) or str(error)
            self.down.set()
            return
        self.mqtt.loop_start()

    def _on_connect(self, _c: object, _d: object, _f: object, reason: mqtt.ReasonCode, _p: object) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        else:
            self.up.set()

    def _on_subscribe(self, _c: object, _d: object, mid: int, reasons: list[mqtt.ReasonCode], _p: object) -> None:
        with self._changed:
            self._granted[mid] = not any(reason.is_failure for reason in reasons)
            self._changed.notify_all()

    def _on_publish(self, _c: object, _d: object, mid: int, reason: mqtt.ReasonCode, _p: object) -> None:
        with self._changed:
            self._done[mid] = not reason.is_failure
            self._changed.notify_all()

    def subscribe(self, topic: str) -> bool:
        """True when granted."""
        with self._changed:
            _, mid = self.mqtt.subscribe(topic, qos=1)
            self._changed.wait_for(lambda: mid in self._granted or self.down.is_set(), 5)
            return self._granted.get(mid or 0, False)

    def publish(self, topic: str, payload: str) -> bool:
        """True when the broker took it (NATS takes and drops: see what arrives)."""
        with self._changed:
            mid = self.mqtt.publish(topic, payload, qos=1).mid
            self._changed.wait_for(lambda: mid in self._done or self.down.is_set(), 5)
            return self._done.get(mid, False)

    def is_turned_away(self) -> bool:
        """The broker ends it, or lets it do nothing."""
        return self.down.wait(5) and not self.up.is_set()

    def end(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def trusting(post: Post, file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(post.authority_folder / "authority.pem"))
    if file is not None:
        context.load_cert_chain(file)
    return context


@pytest.fixture(scope="module", params=KINDS)
def post(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    made = Post(tmp_path_factory.mktemp("post"), request.param)
    yield made
    made.system.kill()


@pytest.fixture
def one(post: Post) -> Iterator[Session]:
    session = Session(post, "box-one")
    assert session.up.wait(5), session.refused
    yield session
    session.end()


@pytest.fixture
def two(post: Post) -> Iterator[Session]:
    session = Session(post, "box-two")
    assert session.up.wait(5), session.refused
    yield session
    session.end()


def test_a_box_is_heard_under_its_own_topics(post: Post, one: Session) -> None:
    assert one.publish("vg/1/box-one/up/event", "own words")
    wait_for(lambda: post.heard_of("own words"), "the collector to hear it", 10)


@pytest.mark.parametrize(
    "topic",
    [
        "vg/1/box-two/up/event",
        "vg/1/box-two/up/status",
        "vg/1/box-two/down/command",
        "vg/1/box-one/down/receipt",
        "vg/1/box-one/../box-two/up/event",
        "vg/1//up/event",
        "vg/2/box-one/up/event",
        "$CONTROL/dynamic-security/v1",
        "$SYS/broker/uptime",
    ],
)
def test_a_box_is_not_heard_under_any_other_topic(post: Post, one: Session, two: Session, topic: str) -> None:
    assert two.subscribe("vg/1/box-two/down/#")
    forged = f"forged {topic}"
    taken = one.publish(topic, forged)
    if one.down.is_set():  # a broker may hang up on such a thing as well
        one = Session(post, "box-one")
        assert one.up.wait(5)
    assert post.kind == "nats" or not taken
    after = f"after {topic}"
    assert one.publish("vg/1/box-one/up/event", after)
    wait_for(lambda: post.heard_of(after), "what came afterwards", 10)
    assert not post.heard_of(forged)
    assert not two.heard


@pytest.mark.parametrize(
    "topic",
    ["#", "+/+/+/+/+", "vg/1/#", "vg/1/+/down/#", "vg/1/+/up/#", "vg/1/box-two/#", "$SYS/#", "$CONTROL/#", "$MQTT/#"],
)
def test_a_box_hears_nothing_that_is_not_meant_for_it(post: Post, one: Session, two: Session, topic: str) -> None:
    one.subscribe(topic)
    assert two.publish("vg/1/box-two/up/event", f"private {topic}")
    wait_for(lambda: post.heard_of(f"private {topic}"), "the collector to hear it", 10)
    assert one.heard == []


def test_a_box_cannot_tell_the_broker_who_may_connect(post: Post, one: Session, two: Session) -> None:
    one.publish("$CONTROL/dynamic-security/v1", '{"commands": [{"command": "deleteClient", "username": "box-two"}]}')
    assert not two.down.wait(2)
    assert two.publish("vg/1/box-two/up/event", "still here")


def test_another_box_s_client_id_takes_nothing_over(post: Post) -> None:
    """Mosquitto goes by the certificate alone. With NATS a box stands under a client id that only it can tell."""
    own = Credentials(identity=Identity(post.pem("box-two").parent)).client_id("box-two")
    agent = Session(post, "box-two", client_id=own)
    assert agent.up.wait(5)
    thief = Session(post, "box-one", client_id="box-two")
    assert thief.up.wait(5)
    assert not agent.down.wait(1)
    thief.publish("vg/1/box-two/up/event", "a stolen word")
    assert agent.publish("vg/1/box-two/up/event", "its own word")
    wait_for(lambda: post.heard_of("its own word"), "the right box", 10)
    assert not post.heard_of("a stolen word")
    thief.end()
    agent.end()


def test_a_box_s_client_id_stays_and_says_nothing_of_its_key(post: Post) -> None:
    folders = [post.pem(box).parent for box in ("box-one", "box-two")]
    ids = [Credentials(identity=Identity(folder)).client_id("box") for folder in folders]
    assert ids[0] != ids[1]
    assert ids[0] == Credentials(identity=Identity(folders[0])).client_id("box")
    assert Identity(folders[0]).signing_key().private_bytes_raw().hex()[:32] not in ids[0]


def test_whoever_has_no_certificate_is_turned_away(post: Post) -> None:
    assert Session(post, "box-one", context=trusting(post, None)).is_turned_away()


def test_a_user_and_a_password_are_worth_nothing(post: Post) -> None:
    context = trusting(post, None)
    assert Session(post, "box-one", context=context, user=("_collector", "x")).is_turned_away()


def test_a_user_name_beside_the_certificate_changes_nobody(post: Post) -> None:
    thief = Session(post, "box-one", user=("box-two", "x"))
    thief.up.wait(5)
    thief.publish("vg/1/box-two/up/event", "as another user")
    thief.end()
    other = Session(post, "box-two")
    assert other.up.wait(5)
    assert other.publish("vg/1/box-two/up/event", "afterwards of two")
    wait_for(lambda: post.heard_of("afterwards of two"), "the collector to hear it", 10)
    assert not post.heard_of("as another user")
    other.end()


def test_plaintext_is_turned_away(post: Post) -> None:
    assert Session(post, "box-one", plain=True).is_turned_away()


def test_tls_1_1_is_turned_away(post: Post) -> None:
    context = trusting(post, post.pem("box-one"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert Session(post, "box-one", context=context).is_turned_away()


def test_another_authority_s_certificate_is_turned_away(post: Post, tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    other = make_authority(tmp_path / "x", KeyFile(tmp_path / "x" / "authority.key", PASSWORD), "X", ["x"], now_ms)
    assert Session(post, "box-one", file=post.forge("box-one", other)).is_turned_away()


def test_an_expired_certificate_is_turned_away(post: Post) -> None:
    keeper = KeyFile(post.authority_folder / "authority.key", PASSWORD)
    ours = Authority(post.authority_folder, keeper)
    key = ec.generate_private_key(ec.SECP256R1())
    an_hour_ago_ms = time.time_ns() // 1_000_000 - 3_600_000
    made = make_client(
        ours.certificate, keeper.key(), key.public_key(), "box-one", an_hour_ago_ms, timedelta(minutes=1)
    )
    file = post.folder / "expired.pem"
    file.write_bytes(pem_of(key) + pem(made))
    assert Session(post, "box-one", file=file).is_turned_away()


def test_a_certificate_that_was_never_given_has_no_rights(post: Post) -> None:
    ours = Authority(post.authority_folder, KeyFile(post.authority_folder / "authority.key", PASSWORD))
    stranger = Session(post, "box-nobody", file=post.forge("box-nobody", ours))
    assert not stranger.up.wait(2) or not stranger.subscribe("vg/1/box-nobody/down/#")
    stranger.publish("vg/1/box-nobody/up/event", "of nobody")
    stranger.end()
    assert not post.heard_of("of nobody")


def test_a_message_that_is_too_large_harms_nobody(post: Post, two: Session) -> None:
    thief = Session(post, "box-one")
    assert thief.up.wait(5)
    thief.publish("vg/1/box-one/up/event", "x" * 300_000)
    thief.end()
    assert two.publish("vg/1/box-two/up/event", "small")


def test_revocation_ends_an_open_session_and_a_new_one_within_a_minute(post: Post, two: Session) -> None:
    stolen = post.folder / "stolen.pem"
    shutil.copy(post.pem("box-gone"), stolen)
    thief = Session(post, "box-gone", file=stolen)
    assert thief.up.wait(5)
    assert thief.publish("vg/1/box-gone/up/event", "before")
    began = time.monotonic()
    post.system.run("box", "revoke", "box-gone")
    assert thief.down.wait(WITHIN_S)
    open_s = time.monotonic() - began

    def is_shut_out() -> bool:
        again = Session(post, "box-gone", file=stolen)
        try:
            return again.is_turned_away()
        finally:
            again.end()

    wait_for(is_shut_out, "new sessions to be refused", WITHIN_S)
    print(f"{post.kind}: open session ended {open_s:.1f} s, new ones refused {time.monotonic() - began:.1f} s after")
    assert not two.down.is_set()
    assert two.publish("vg/1/box-two/up/event", "the other stays")


def test_the_port_survives_noise(post: Post, one: Session) -> None:
    for noise in (b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 200):
        with socket.create_connection(("127.0.0.1", post.system.broker_port), timeout=5) as raw:
            raw.sendall(noise)
    assert one.publish("vg/1/box-one/up/event", "still well")
