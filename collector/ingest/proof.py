"""How a box proves to the upload endpoint who it is: by a shared secret or by certificate."""

import base64
import binascii
from collections.abc import Callable

import bcrypt
from starlette.requests import Request

from collector.identity.peers import PEER, PeerRefused, Peers
from collector.store.boxes import box_secret
from collector.store.database import Database

_NOBODY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(4))


class NotProven(Exception):
    """Whoever asks is not let in; `headers` go with the answer."""

    def __init__(self, text: str, status: int, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


Prove = Callable[[Request], str]
"""The box that asks. Raises NotProven, StoreUnavailable."""


def by_secret(database: Database) -> Prove:
    """Basic authentication: box and secret."""

    def prove(request: Request) -> str:
        kind, _, coded = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            kind, name, secret = "", "", ""
        with database.read() as connection:
            expected = box_secret(connection, name)
        right = bcrypt.checkpw(secret.encode()[:72], expected.encode() if expected else _NOBODY)
        if kind.lower() != "basic" or expected is None or not right:
            raise NotProven("box and secret are not known together", 401, WWW_Authenticate='Basic realm="box"')
        return name

    return prove


def by_certificate(peers: Peers, wall_ms: Callable[[], int]) -> Prove:
    """The certificate of the connection; no secret is looked at."""

    def prove(request: Request) -> str:
        try:
            return peers.box_of(request.scope.get(PEER), wall_ms())
        except PeerRefused as refused:
            raise NotProven(str(refused), refused.status) from None

    return prove
