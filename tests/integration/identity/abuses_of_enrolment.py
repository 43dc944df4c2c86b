"""Abuses of enrolment: tokens, names, certificate requests, signing keys, bodies. Each returns what is seen."""

import base64
import json
import socket
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from collector.store import boxes
from tests.integration.identity.abusing import (
    BOX,
    YEAR_MS,
    Ready,
    dripping,
    enrol,
    heard,
    key,
    signed_by,
    with_csr,
)
from tests.support.office import (
    NOW_MS,
    Office,
    csr_for,
    enrolment,
)

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
