"""Abuses by and of boxes that are enrolled: transport, renewal, uploads. Each returns what the attacker sees."""

import socket
import ssl
import warnings

from tests.integration.identity.abusing import (
    BOX,
    CLIP,
    TUS,
    Ready,
    attempt,
    b64,
    heard,
    key,
)
from tests.support.office import (
    NOW_MS,
    Office,
    renewal,
)

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
    told = ",".join(f"{name} {b64(value)}" for name, value in {"clip": clip, "sha256": "0" * 64}.items())
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
