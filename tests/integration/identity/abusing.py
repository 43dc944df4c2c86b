"""What abuses of the door for boxes are made with."""

import base64
import socket
import ssl
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.office import (
    Office,
    csr_for,
    resigned,
)

BOX = "box-one"
YEAR_MS = 365 * 86_400_000
Ready = Callable[[], None]
TUS = {"Tus_Resumable": "1.0.0"}
CLIP = "/upload/01890a5d-ac96-774b-bcce-b302099a8057"
CUT = "the connection is closed"


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def enrol(office: Office, ready: Ready, body: bytes, **headers: str) -> str:
    ready()
    answer = office.ask("/enrol", body, **headers)
    return f"{answer.status} {answer.text}"


def with_csr(office: Office, ready: Ready, csr: str) -> str:
    return enrol(office, ready, resigned(BOX, office.register(BOX), csr))


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
    return resigned(box, token, csr_for(box, key()), signing)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
