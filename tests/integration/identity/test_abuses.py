"""The table of abuses at the door for boxes: each is refused for the stated reason, told in the log without a secret,
and leaves nothing half-done.

An abuse prepares what it needs by the book, calls `ready`, attacks, and returns what the attacker sees.
"""

import base64
import json
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from collector.identity.gate import LOGS_A_MINUTE
from collector.store import boxes
from tests.support.office import (
    NOW_MS,
    Office,
    csr_for,
    enrolment,
    renewal,
    resigned,
)
from tests.support.system import wait_for
from vonggac.daemon.config import ConfigInvalid
from vonggac.wire.enrolment import EnrolRequest, encode, statement

BOX = "box-one"
YEAR_MS = 365 * 86_400_000
Ready = Callable[[], None]
TUS = {"Tus_Resumable": "1.0.0"}
CLIP = "/upload/01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, patience_s=1.5)
    yield made
    made.close()


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def enrol(office: Office, ready: Ready, body: bytes, **headers: str) -> str:
    ready()
    answer = office.ask("/enrol", body, **headers)
    return f"{answer.status} {answer.text}"


def with_csr(office: Office, ready: Ready, csr: str) -> str:
    return enrol(office, ready, resigned(BOX, office.register(BOX), csr))


# --- tokens ------------------------------------------------------------------------------------------------------


def token_that_nobody_made(office: Office, ready: Ready) -> str:
    office.register(BOX)
    return enrol(office, ready, enrolment(BOX, "A" * 43, key()))


def token_of_another_box(office: Office, ready: Ready) -> str:
    office.register(BOX)
    return enrol(office, ready, enrolment(BOX, office.register("box-two"), key()))


def token_that_expired(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    office.clock.advance(72 * 3_600_000)
    return enrol(office, ready, enrolment(BOX, token, key()))


def token_used_before(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    assert office.ask("/enrol", enrolment(BOX, token, key())).status == 200
    return enrol(office, ready, enrolment(BOX, token, key()))


def token_replayed_with_its_key_after_revocation(office: Office, ready: Ready) -> str:
    token, own = office.register(BOX), key()
    assert office.ask("/enrol", enrolment(BOX, token, own)).status == 200
    office.end(BOX, "revoked")
    return enrol(office, ready, enrolment(BOX, token, own))


def token_of_an_older_bundle(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    office.register(BOX)
    return enrol(office, ready, enrolment(BOX, token, key()))


def token_of_a_revoked_box(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    office.end(BOX, "revoked")
    return enrol(office, ready, enrolment(BOX, token, key()))


def token_of_a_retired_box(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    with office.database.write() as connection:
        boxes.remove_box(connection, BOX, NOW_MS)
    return enrol(office, ready, enrolment(BOX, token, key()))


def token_too_short(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment(BOX, office.register(BOX)[:-1], key()))


def server_clock_five_years_back(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    office.clock.step_wall(-5 * YEAR_MS)
    return enrol(office, ready, enrolment(BOX, token, key()))


def server_clock_five_years_on(office: Office, ready: Ready) -> str:
    token = office.register(BOX)
    office.clock.step_wall(5 * YEAR_MS)
    return enrol(office, ready, enrolment(BOX, token, key()))


# --- names -------------------------------------------------------------------------------------------------------


def box_id_that_climbs(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment("../etc", office.register(BOX), key()))


def box_id_that_is_a_wildcard(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment("vg+#", office.register(BOX), key()))


def box_id_with_a_dollar(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment("$sys", office.register(BOX), key()))


# --- certificate requests ----------------------------------------------------------------------------------------


def csr_for_another_box(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for("box-two", key()))


def csr_for_the_collector(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for("vonggac.collector", key()))


def csr_with_two_names(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for(BOX, key(), x509.NameAttribute(NameOID.COMMON_NAME, "box-two")))


def csr_with_more_than_a_name(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for(BOX, key(), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "admins")))


def csr_with_a_host_name(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for(BOX, key(), san="vonggac.xa.example"))


def csr_with_an_rsa_key(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for(BOX, rsa.generate_private_key(65537, 2048)))


def csr_with_another_curve(office: Office, ready: Ready) -> str:
    return with_csr(office, ready, csr_for(BOX, ec.generate_private_key(ec.SECP384R1())))


def csr_signed_by_another_key(office: Office, ready: Ready) -> str:
    whole = x509.load_pem_x509_csr(csr_for(BOX, key()).encode()).public_bytes(serialization.Encoding.DER)
    broken = bytearray(whole)
    broken[-1] ^= 1
    text = base64.encodebytes(bytes(broken)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
    return with_csr(office, ready, pem)


def csr_that_is_none(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment(BOX, office.register(BOX), key(), csr="-----BEGIN nonsense"))


def csr_twice(office: Office, ready: Ready) -> str:
    csr = csr_for(BOX, key())
    return enrol(office, ready, enrolment(BOX, office.register(BOX), key(), csr=csr + csr))


def csr_too_long(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment(BOX, office.register(BOX), key(), csr=csr_for(BOX, key()) + " " * 3900))


def csr_over_another_box_s_key(office: Office, ready: Ready) -> str:
    stolen = office.enrol("box-two").key
    return enrol(office, ready, enrolment(BOX, office.register(BOX), stolen))


# --- signing keys ------------------------------------------------------------------------------------------------


def signing_key_not_proven(office: Office, ready: Ready) -> str:
    return enrol(office, ready, enrolment(BOX, office.register(BOX), key(), signature="0" * 128))


def signing_key_of_another_box(office: Office, ready: Ready) -> str:
    signing, token = ed25519.Ed25519PrivateKey.generate(), office.register("box-two")
    assert office.ask("/enrol", signed_by(signing, "box-two", token)).status == 200
    return enrol(office, ready, signed_by(signing, BOX, office.register(BOX)))


def proof_replayed_for_another_box(office: Office, ready: Ready) -> str:
    seen = json.loads(enrolment("box-two", office.register("box-two"), key()))
    body = json.loads(enrolment(BOX, office.register(BOX), key()))
    body |= {"signing_key": seen["signing_key"], "signature": seen["signature"]}
    return enrol(office, ready, json.dumps(body).encode())


# --- bodies ------------------------------------------------------------------------------------------------------


def body_too_large(office: Office, ready: Ready) -> str:
    return enrol(office, ready, b"{" + b" " * 9000)


def body_too_large_in_pieces(office: Office, ready: Ready) -> str:
    ready()
    with office.connection() as sending:
        sending.sendall(b"POST /enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            sending.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
        return heard(sending)


def body_that_is_a_list(office: Office, ready: Ready) -> str:
    return enrol(office, ready, b"[1]")


def body_nested_without_end(office: Office, ready: Ready) -> str:
    return enrol(office, ready, b"[" * 8000)


def body_that_is_no_utf8(office: Office, ready: Ready) -> str:
    return enrol(office, ready, b'{"v": 1, "box": "\xff\xfe"}')


def body_of_another_version(office: Office, ready: Ready) -> str:
    return enrol(office, ready, b'{"v": 2}')


def body_in_drops(office: Office, ready: Ready) -> str:
    ready()
    with office.connection() as sending:
        sending.sendall(b"POST /enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
        return dripping(sending, b" ")


def head_in_drops(office: Office, ready: Ready) -> str:
    ready()
    with office.connection() as sending:
        sending.sendall(b"POST /enrol HTTP/1.1\r\n")
        return dripping(sending, b"X: y\r\n")


def head_that_never_comes(office: Office, ready: Ready) -> str:
    ready()
    with office.connection() as silent:
        return heard(silent)


def handshake_that_never_comes(office: Office, ready: Ready) -> str:
    ready()
    with socket.create_connection(("127.0.0.1", office.port), timeout=10) as plain:
        return heard(plain)


def handshake_in_drops(office: Office, ready: Ready) -> str:
    ready()
    with socket.create_connection(("127.0.0.1", office.port), timeout=10) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello of 512 bytes
        return dripping(plain, b"\x00")


def many_connections_at_once(office: Office, ready: Ready) -> str:
    ready()
    with warnings.catch_warnings():
        held = []
        for _ in range(40):
            plain = socket.create_connection(("127.0.0.1", office.port), timeout=10)
            held.append(office.tls().wrap_socket(plain, server_hostname="127.0.0.1"))
        words = [heard(each) for each in held[16:]]
        for each in held:
            each.close()
    return max(words)


# --- transport ---------------------------------------------------------------------------------------------------


def plaintext(office: Office, ready: Ready) -> str:
    ready()
    with socket.create_connection(("127.0.0.1", office.port), timeout=10) as plain:
        plain.sendall(b"POST /enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        return heard(plain)


def tls_1_1(office: Office, ready: Ready) -> str:
    context = office.tls()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return attempt(office, ready, context)


def certificate_signed_by_itself(office: Office, ready: Ready) -> str:
    return attempt(office, ready, office.tls(office.forge("self", None, BOX)))


def certificate_of_another_authority(office: Office, ready: Ready) -> str:
    (office.folder / "other").mkdir()
    other = Office(office.folder / "other")
    try:
        office.enrol(BOX)
        forged = other.forge("forged", other, BOX)
    finally:
        other.close()
    return attempt(office, ready, office.tls(forged))


def certificate_of_the_server_as_a_box(office: Office, ready: Ready) -> str:
    context = office.tls()
    context.load_cert_chain(office.authority.file("server.pem"), office.authority.file("server.key"))
    return attempt(office, ready, context)


def certificate_of_the_collector_as_a_box(office: Office, ready: Ready) -> str:
    office.ask("/whoami")  # its door has read the files that are written anew here
    office.authority.equip_server(["127.0.0.1"], NOW_MS)
    context = office.tls()
    context.load_cert_chain(office.authority.file("collector.pem"), office.authority.file("collector.key"))
    return attempt(office, ready, context)


def certificate_never_given(office: Office, ready: Ready) -> str:
    office.enrol(BOX)
    return attempt(office, ready, office.tls(office.forge("never", office, BOX)))


def certificate_expired(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    office.clock.advance(366 * 86_400_000)
    return attempt(office, ready, office.tls(holder))


def certificate_revoked(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    office.end(BOX, "revoked")
    return attempt(office, ready, office.tls(holder))


def certificate_of_a_replaced_box(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    office.end(BOX, "replaced")
    office.enrol(BOX, "new")
    return attempt(office, ready, office.tls(holder))


def certificate_superseded(office: Office, ready: Ready) -> str:
    old = office.enrol(BOX)
    new = office.renew(old, BOX, "new")
    assert office.ask("/whoami", None, new).status == 200
    return attempt(office, ready, office.tls(old))


def no_certificate_at_all(office: Office, ready: Ready) -> str:
    return attempt(office, ready, office.tls())


# --- renewal -----------------------------------------------------------------------------------------------------


def renewal_without_a_certificate(office: Office, ready: Ready) -> str:
    ready()
    answer = office.ask("/renew", renewal(BOX, key()))
    return f"{answer.status} {answer.text}"


def renewal_for_another_box(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    ready()
    answer = office.ask("/renew", renewal("box-two", key()), holder)
    return f"{answer.status} {answer.text}"


def renewal_with_the_old_key(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    assert office.ask("/whoami", None, holder).status == 200
    ready()
    answer = office.ask("/renew", renewal(BOX, holder.key), holder)
    return f"{answer.status} {answer.text}"


def renewals_without_end(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    for number in range(3):
        office.renew(holder, BOX, f"r{number}")
    ready()
    answer = office.ask("/renew", renewal(BOX, key()), holder)
    return f"{answer.status} {answer.text}"


def renewals_that_are_used_at_once(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    for number in range(5):
        holder = office.renew(holder, BOX, f"r{number}")
        assert office.ask("/whoami", None, holder).status == 200
    ready()
    answer = office.ask("/renew", renewal(BOX, key()), holder)
    return f"{answer.status} {answer.text}"


# --- uploads -----------------------------------------------------------------------------------------------------


def upload_without_a_certificate(office: Office, ready: Ready) -> str:
    ready()
    answer = office.ask("/upload/", b"", **TUS)
    return f"{answer.status} {answer.text}"


def upload_with_a_password_alone(office: Office, ready: Ready) -> str:
    office.register(BOX)
    ready()
    answer = office.ask("/upload/", b"", Authorization="Basic Ym94LW9uZTo=", **TUS)
    return f"{answer.status} {answer.text}"


def upload_of_a_revoked_box(office: Office, ready: Ready) -> str:
    holder = office.enrol(BOX)
    office.end(BOX, "revoked")
    ready()
    answer = office.ask("/upload/", b"", holder, **TUS)
    return f"{answer.status} {answer.text}"


def upload_that_belongs_to_another_box(office: Office, ready: Ready) -> str:
    mine, thief = office.enrol(BOX), office.enrol("box-two")
    clip = CLIP.rpartition("/")[2]
    told = ",".join(f"{name} {_b64(value)}" for name, value in {"clip": clip, "sha256": "0" * 64}.items())
    made = office.ask("/upload/", b"", mine, Upload_Length="10", Upload_Metadata=told, **TUS)
    assert made.status == 201, made.text
    ready()
    context = office.tls(thief)
    with (
        socket.create_connection(("127.0.0.1", office.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(
            f"PATCH {CLIP} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nConnection: close\r\n"
            "Content-Type: application/offset+octet-stream\r\nContent-Length: 4\r\n\r\nevil".encode()
        )
        return heard(secured)


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Abuse:
    """`seen` by the attacker, `told` in the log (None: the same words)."""

    do: Callable[[Office, Ready], str]
    seen: str
    told: str | None = None


CUT = "the connection is closed"
SILENT = ""
TABLE = [
    Abuse(token_that_nobody_made, "403 the token is not known here"),
    Abuse(token_of_another_box, "403 the token is another box's"),
    Abuse(token_that_expired, "403 the token has expired"),
    Abuse(token_used_before, "403 the token was used before, with another key"),
    Abuse(token_replayed_with_its_key_after_revocation, "403 the token is void"),
    Abuse(token_of_an_older_bundle, "403 the token is void"),
    Abuse(token_of_a_revoked_box, "403 the token is void"),
    Abuse(token_of_a_retired_box, "403 box box-one was taken out of this collector"),
    Abuse(token_too_short, "400 token: is none"),
    Abuse(server_clock_five_years_back, "403 the token is from the future"),
    Abuse(server_clock_five_years_on, "403 the token has expired"),
    Abuse(box_id_that_climbs, "400 box: is no box id"),
    Abuse(box_id_that_is_a_wildcard, "400 box: is no box id"),
    Abuse(box_id_with_a_dollar, "400 box: is no box id"),
    Abuse(csr_for_another_box, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_for_the_collector, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_two_names, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_more_than_a_name, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(csr_with_a_host_name, "403 csr: asks for extensions"),
    Abuse(csr_with_an_rsa_key, "403 csr: the key must be EC P-256 or Ed25519"),
    Abuse(csr_with_another_curve, "403 csr: the key must be EC P-256 or Ed25519"),
    Abuse(csr_signed_by_another_key, "403 csr: is not signed by its own key"),
    Abuse(csr_that_is_none, "400 csr: cannot be read"),
    Abuse(csr_twice, "400 csr: must be one certificate request"),
    Abuse(csr_too_long, "400 csr: is longer than"),
    Abuse(csr_over_another_box_s_key, "403 csr: this key had a certificate before"),
    Abuse(signing_key_not_proven, "403 signature: is not of this signing key"),
    Abuse(signing_key_of_another_box, "403 signing_key: another box has it"),
    Abuse(proof_replayed_for_another_box, "403 signature: is not of this signing key"),
    Abuse(body_too_large, "413 a request is at most 8192 bytes"),
    Abuse(body_too_large_in_pieces, "413", "a request is at most 8192 bytes"),
    Abuse(body_that_is_a_list, "400 is no JSON object"),
    Abuse(body_nested_without_end, "400 is no JSON"),
    Abuse(body_that_is_no_utf8, "400 is no JSON in UTF-8"),
    Abuse(body_of_another_version, "400 v: must be 1"),
    Abuse(body_in_drops, "408", "did not come whole"),
    Abuse(head_in_drops, CUT, "no whole request head in time"),
    Abuse(head_that_never_comes, CUT, "no whole request head in time"),
    Abuse(handshake_that_never_comes, CUT, SILENT),
    Abuse(handshake_in_drops, CUT, SILENT),
    Abuse(many_connections_at_once, CUT, "too many"),
    Abuse(plaintext, CUT, "http request"),
    Abuse(tls_1_1, "TLSV1_ALERT_PROTOCOL_VERSION", "unsupported protocol"),
    Abuse(certificate_signed_by_itself, "ALERT", "self-signed certificate"),
    Abuse(certificate_of_another_authority, "ALERT", "local issuer"),
    Abuse(certificate_of_the_server_as_a_box, "ALERT", "unsuitable certificate purpose"),
    Abuse(certificate_of_the_collector_as_a_box, "401 a box's certificate is needed here"),
    Abuse(certificate_never_given, "403 this certificate was never given here"),
    Abuse(certificate_expired, "403 this certificate has expired"),
    Abuse(certificate_revoked, "403 this certificate is revoked"),
    Abuse(certificate_of_a_replaced_box, "403 this certificate is replaced"),
    Abuse(certificate_superseded, "403 this certificate is superseded"),
    Abuse(no_certificate_at_all, "401 a box's certificate is needed here"),
    Abuse(renewal_without_a_certificate, "401 a box's certificate is needed here"),
    Abuse(renewal_for_another_box, "403 csr: the subject must be CN=box-one and nothing else"),
    Abuse(renewal_with_the_old_key, "403 csr: this key had a certificate before"),
    Abuse(renewals_without_end, "429 3 certificates were given and none was used"),
    Abuse(renewals_that_are_used_at_once, "429 6 certificates were given within a day"),
    Abuse(upload_without_a_certificate, "401 a box's certificate is needed here"),
    Abuse(upload_with_a_password_alone, "401 a box's certificate is needed here"),
    Abuse(upload_of_a_revoked_box, "403 this certificate is revoked"),
    Abuse(upload_that_belongs_to_another_box, "404", SILENT),
]


@pytest.mark.parametrize("abuse", TABLE, ids=[each.do.__name__ for each in TABLE])
def test_an_abuse_is_refused_for_its_reason(office: Office, abuse: Abuse) -> None:
    before: list[tuple[int, ...]] = []
    with structlog.testing.capture_logs() as lines:
        seen = abuse.do(office, lambda: before.append(office.given()))
        told = abuse.seen.partition(" ")[2] if abuse.told is None else abuse.told
        assert abuse.seen in seen
        wait_for(lambda: not told or told in json.dumps(lines, default=str), f"{told!r} to be told", 5)
    assert office.given() == before[0]
    text = json.dumps(lines, default=str)
    assert not any(token in text for token in office.tokens)
    assert "PRIVATE KEY" not in text


def test_refusals_cannot_fill_the_log(office: Office) -> None:
    began = int(time.monotonic() // 60)
    with structlog.testing.capture_logs() as lines:
        for _ in range(100):
            office.ask("/whoami")
    minutes = int(time.monotonic() // 60) - began + 1
    assert len([line for line in lines if line["event"] == "refused"]) <= LOGS_A_MINUTE * minutes < 100


def test_a_key_without_its_certificate_is_told_at_the_start(office: Office) -> None:
    office.authority.refuse_half_equipped()
    before = office.authority.file("server.key").read_bytes()
    office.ask("/whoami")
    office.authority.equip_server(["127.0.0.1"], NOW_MS)
    office.authority.file("server.key").write_bytes(before)
    with pytest.raises(ConfigInvalid, match="collector authority equip"):
        office.authority.refuse_half_equipped()


# --- small things ------------------------------------------------------------------------------------------------


def attempt(office: Office, ready: Ready, context: ssl.SSLContext) -> str:
    """Who am I to the door?"""
    ready()
    try:
        answer = office.ask("/whoami", None, context=context)
    except ssl.SSLError as error:
        return f"{error.reason}"
    return f"{answer.status} {answer.text}"


def heard(connection: socket.socket) -> str:
    """What comes until the other end closes; fails when it does not within its time."""
    connection.settimeout(10)
    words = b""
    try:
        while data := connection.recv(4096):
            words += data
            if b"\r\n\r\n" in words and b"HTTP" in words:
                break
    except TimeoutError:
        raise
    except OSError:
        pass
    return words.decode("ascii", "replace") or CUT


def dripping(connection: socket.socket, drop: bytes) -> str:
    """A drop each fifth of a second, until the other end has enough; fails when it has endless patience."""
    connection.settimeout(0.2)
    until = time.monotonic() + 12
    while time.monotonic() < until:
        try:
            connection.sendall(drop)
            return connection.recv(4096).decode("ascii", "replace") or CUT
        except TimeoutError:
            continue
        except OSError:
            return CUT
    raise AssertionError("the other end still listens")


def signed_by(signing: ed25519.Ed25519PrivateKey, box: str, token: str) -> bytes:
    csr = csr_for(box, key())
    der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    raw = signing.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return encode(
        EnrolRequest(
            box=box,
            token=token,
            csr=csr,
            signing_key=raw.hex(),
            signature=signing.sign(statement(box, der)).hex(),
        )
    )


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
