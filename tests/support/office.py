"""A collector's door for boxes in this process: authority, enrolment and uploads on a free loopback port, over TLS.

Also what an attacker brings along: other authorities, forged certificates, raw sockets.
"""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from collector.http import HttpServer
from collector.identity import certificates, tokens
from collector.identity.authority import AUTHORITY, AUTHORITY_KEY, Authority, KeyFile, make_authority
from collector.identity.bundle import Camera, Server, camera_of, write_bundle
from collector.identity.enrol import Enrolments
from collector.identity.gate import Gate
from collector.identity.peers import Peers
from collector.identity.station import Keeper
from collector.ingest.clip_store import ClipStore
from collector.ingest.proof import by_certificate
from collector.ingest.upload import Uploads
from collector.releases.door import ReleaseDoor
from collector.releases.shelf import Shelf
from collector.store import boxes, identities
from tests.support.clock import FakeClock
from tests.support.databases import fresh_database
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.enrolment import EnrolRequest, encode, statement

PASSWORD = "mot-mat-khau-du-dai-cho-khoa"
LIFE = timedelta(days=365)
NOW_MS = 1_795_700_000_000


@dataclass(frozen=True)
class Answer:
    """What the door said."""

    status: int
    text: str

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Holder:
    """Somebody with a key and a certificate, in one PEM file."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Office:
    """`clock` is the collector's."""

    def __init__(self, folder: Path, life: timedelta = LIFE, patience_s: float = 10.0) -> None:
        self.folder = folder
        self.clock = FakeClock(NOW_MS)
        self.tokens: list[str] = []
        keeper = KeyFile(folder / "identity" / AUTHORITY_KEY, PASSWORD)
        self.authority = make_authority(folder / "identity", keeper, "Bài thử", ["127.0.0.1"], NOW_MS)
        self.database = fresh_database(folder)
        peers = Peers(self.database)
        enrolments = Enrolments(self.authority, self.database, self.clock.wall_ms, life)
        self.clips = ClipStore(self.database, folder, self.clock, lambda box, sha256: None, 0)
        uploads = Uploads(self.clips, by_certificate(peers, self.clock.wall_ms), 1_000_000).app()
        self.shelf = Shelf(folder / "releases")
        releases = ReleaseDoor(self.database, self.shelf, self.clock)
        self.gate = Gate(self.authority, enrolments, peers, uploads, self.clock, patience_s, releases)
        self.keeper = Keeper(self.authority, self.gate, self.database, self.clock)
        self._stop = Stop()
        server = HttpServer(("127.0.0.1", 0), self._stop)
        self.port = server.address[1]
        self._thread = threading.Thread(target=server.serve, args=(self.gate.app, Pulse("boxes", 60), self.gate))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._stop.set("the test is over")
        self._thread.join(15)
        self.database.close()
        assert not self._thread.is_alive()

    # --- by the book ---------------------------------------------------------------------------------------------

    def register(self, box: str) -> str:
        """A registered box's token."""
        token, now_ms = tokens.make_token(), self.clock.wall_ms()
        self.tokens.append(token)
        with self.database.write() as connection:
            if not boxes.is_known(connection, box):
                boxes.add_box(connection, box, "Ngõ 12", "Xã Thử", "", now_ms)
            identities.add_token(connection, tokens.token_hash(token), box, now_ms, now_ms + tokens.LIFE_MS)
        return token

    def bundle(self, target: Path, box: str, *cameras: str) -> Path:
        """A registered box's bundle."""
        told: tuple[Camera, ...] = tuple(camera_of(text) for text in cameras or ("gate=rtsp://10.0.0.9/1",))
        server = Server("127.0.0.1", self.port, 8883, (self.folder / "identity" / AUTHORITY).read_bytes())
        write_bundle(target, box, self.register(box), told, server, self.clock.wall_ms())
        return target

    def enrol(self, box: str, name: str = "") -> Holder:
        """A box that is enrolled; `name` is its file's."""
        key = ec.generate_private_key(ec.SECP256R1())
        answer = self.ask("/enrol", enrolment(box, self.register(box), key))
        assert answer.status == 200, answer.text
        return self.holder(name or box, key, answer.json["certificate"])

    def renew(self, holder: Holder, box: str, name: str) -> Holder:
        key = ec.generate_private_key(ec.SECP256R1())
        answer = self.ask("/renew", renewal(box, key), holder)
        assert answer.status == 200, answer.text
        return self.holder(name, key, answer.json["certificate"])

    def holder(self, name: str, key: ec.EllipticCurvePrivateKey, certificate_pem: str) -> Holder:
        file = self.folder / f"{name}.pem"
        file.write_bytes(pem_of(key) + certificate_pem.encode())
        return Holder(file, key, x509.load_pem_x509_certificate(certificate_pem.encode()))

    def end(self, box: str, reason: identities.Reason) -> None:
        """As `collector box revoke` and its like do."""
        with self.database.write() as connection:
            identities.shut_out(connection, box, self.clock.wall_ms())
            identities.end_certificates(connection, box, reason, self.clock.wall_ms())
            identities.void_tokens(connection, box, self.clock.wall_ms())

    def given(self) -> tuple[int, ...]:
        """How many certificates, burnt tokens and signing keys there are: a refusal changes none of them."""
        counts = (
            "SELECT count(*) FROM certificates WHERE revoked_ms IS NULL",
            "SELECT count(*) FROM enrolment_tokens WHERE used_ms IS NOT NULL",
            "SELECT count(*) FROM signing_keys",
            "SELECT count(*) FROM boxes WHERE revoked_ms IS NULL",
        )
        with self.database.read() as connection:
            return tuple(int(connection.exec_driver_sql(query).scalar_one()) for query in counts)

    def tls(self, holder: Holder | None = None) -> ssl.SSLContext:
        """A client that trusts the authority."""
        context = ssl.create_default_context(cafile=str(self.folder / "identity" / AUTHORITY))
        context.verify_flags |= ssl.VerifyFlags(0x200000)
        if holder is not None:
            context.load_cert_chain(holder.file)
        return context

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        holder: Holder | None = None,
        context: ssl.SSLContext | None = None,
        **headers: str,
    ) -> Answer:
        """GET without a body, POST with one. Raises OSError (ssl.SSLError) as the connection does."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, context=context or self.tls(holder)
        )
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET" if body is None else "POST", path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    @contextmanager
    def connection(self, holder: Holder | None = None) -> Iterator[ssl.SSLSocket]:
        """A raw TLS connection."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain,
            self.tls(holder).wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            yield secured

    # --- forgeries -----------------------------------------------------------------------------------------------

    def forge(self, name: str, authority: "Office | Authority | None", cn: str, life: timedelta = LIFE) -> Holder:
        """A certificate that no enrolment gave: by another authority, or (None) signed by its own key."""
        key = ec.generate_private_key(ec.SECP256R1())
        if authority is None:
            made = _self_signed(key, cn)
        else:
            issuer = authority.authority if isinstance(authority, Office) else authority
            made = issuer.sign_box(key.public_key(), cn, self.clock.wall_ms(), life)
        return self.holder(name, key, certificates.pem(made).decode())


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _self_signed(key: ec.EllipticCurvePrivateKey, cn: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(certificates.at(NOW_MS) - timedelta(days=1))
        .not_valid_after(certificates.at(NOW_MS) + LIFE)
        .sign(key, hashes.SHA256())
    )


def csr_for(cn: str, key: Any, *more: x509.NameAttribute, san: str | None = None) -> str:
    """A certificate request in PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn), *more])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if san is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(san)]), critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def enrolment(box: str, token: str, key: Any, **changes: str) -> bytes:
    """A right request, but for `changes`."""
    signing = ed25519.Ed25519PrivateKey.generate()
    csr = csr_for(box, key)
    signed = signing.sign(statement(box, x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)))
    public = signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    request = EnrolRequest(box=box, token=token, csr=csr, signing_key=public.hex(), signature=signed.hex())
    return encode(replace(request, **changes))


def resigned(box: str, token: str, csr: str, signing: ed25519.Ed25519PrivateKey | None = None) -> bytes:
    """A request over this CSR, rightly signed by a signing key; without one, by a new one."""
    signing = signing or ed25519.Ed25519PrivateKey.generate()
    der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    public = signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return encode(
        EnrolRequest(
            box=box,
            token=token,
            csr=csr,
            signing_key=public.hex(),
            signature=signing.sign(statement(box, der)).hex(),
        )
    )


def renewal(box: str, key: Any) -> bytes:
    return json.dumps({"v": 1, "csr": csr_for(box, key)}).encode()
