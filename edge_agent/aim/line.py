"""How fast the line to the collector takes clips: a clip of random bytes is begun, sent for some seconds, and dropped.

By the same way as real clips, so that what is measured is what they get; the server forgets it again (tus termination).
"""

import base64
import os
import time
from urllib.parse import urljoin, urlsplit

import requests

from edge_agent.identity.exchange import PinnedAdapter
from edge_agent.uplink.tus import UploadServer, open_session
from vonggac.daemon.clock import Clock, new_id

_PIECE_BYTES = 64 * 1024
_MOST_BYTES = 8 * 2**20
"""Never all of it is sent: a clip that is whole would be compared with its hash."""
_DEADLINE_S = 30.0


class NotMeasured(Exception):
    """The collector took no clip: the text says why."""


def upload_kbps(server: UploadServer, clock: Clock, seconds: float) -> float:
    """Kilobits a second over about so long. Raises NotMeasured."""
    with open_session(server) as session:
        if server.trust is not None:
            session.mount("https://", PinnedAdapter(server.trust.context()))
        try:
            return _measure(session, server.url, new_id(clock), seconds)
        except requests.RequestException as error:
            raise NotMeasured(type(error).__name__) from None
        except OSError as error:
            raise NotMeasured(error.strerror or type(error).__name__) from None


def _measure(session: requests.Session, url: str, clip: str, seconds: float) -> float:
    told = {"clip": clip, "sha256": "0" * 64}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    head = {"Tus-Resumable": "1.0.0"}
    creation = {**head, "Upload-Length": str(_MOST_BYTES), "Upload-Metadata": metadata}
    begun = session.post(url, headers=creation, timeout=_DEADLINE_S, allow_redirects=False)
    at = urljoin(url, begun.headers.get("location", ""))
    if begun.status_code != 201 or urlsplit(at)[:2] != urlsplit(url)[:2]:
        raise NotMeasured(f"HTTP {begun.status_code}")
    sent = 0
    piece = os.urandom(_PIECE_BYTES)
    try:
        began = time.monotonic()
        while time.monotonic() - began < seconds and sent + 2 * _PIECE_BYTES <= _MOST_BYTES:
            headers = {**head, "Upload-Offset": str(sent), "Content-Type": "application/offset+octet-stream"}
            answer = session.patch(at, data=piece, headers=headers, timeout=_DEADLINE_S, allow_redirects=False)
            if answer.status_code != 204:
                raise NotMeasured(f"HTTP {answer.status_code}")
            sent += len(piece)
        return sent * 8 / 1000 / max(0.001, time.monotonic() - began)
    finally:
        session.delete(at, headers=head, timeout=_DEADLINE_S, allow_redirects=False)
