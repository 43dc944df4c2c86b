"""What can still be read of a numbered event that cannot be taken: whose it is, and which number it has.

Its box has nothing better to send: without a receipt it would send the same bytes for ever, and a number that came
would look like a hole. So such an event takes its place in the ledger, whole, and gets its receipt.
"""

import hashlib
import json
import uuid
from typing import Any, TypeGuard

from vonggac.wire import codec
from vonggac.wire.errors import MalformedMessage
from vonggac.wire.ids import is_uuid
from vonggac.wire.messages import DataLost, Envelope
from vonggac.wire.topics import parse_up

LONGEST_BYTES = 4 * codec.MAX_MESSAGE_BYTES
_STAND_IN = DataLost(what="?", reason="?")


def numbered(topic: str, payload: bytes, received_ms: int) -> Envelope | None:
    """An envelope with the event's box, outbox and number, or None when these cannot be read or are not the topic's.

    The body is a stand-in. What else the envelope lacks is filled in; an id is made of the bytes, so that the same
    bytes are the same message.
    """
    try:
        up = parse_up(topic)
        fields = json.loads(payload) if len(payload) <= LONGEST_BYTES else None
    except (MalformedMessage, ValueError, RecursionError):
        return None
    if up.kind != "event" or not isinstance(fields, dict) or fields.get("box") != up.box:
        return None
    seq, outbox = fields.get("seq"), fields.get("outbox")
    if not _is_whole(seq) or seq < 1 or not (isinstance(outbox, str) and is_uuid(outbox)):
        return None
    message_id, boot_id, clock = fields.get("id"), fields.get("boot_id"), fields.get("clock")
    wall_ms, mono_ms = fields.get("wall_ms"), fields.get("mono_ms")
    return Envelope(
        id=message_id if isinstance(message_id, str) and is_uuid(message_id) else _id_of(payload),
        box=up.box,
        boot_id=boot_id if isinstance(boot_id, str) and is_uuid(boot_id) else _id_of(b""),
        wall_ms=wall_ms if _is_time(wall_ms) else received_ms,
        mono_ms=mono_ms if _is_time(mono_ms) else 0,
        clock=clock if clock in ("synced", "holdover") and _is_time(wall_ms) else "unset",
        body=_STAND_IN,
        seq=seq,
        outbox=outbox,
    )


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= codec.MAX_INT


def _is_time(value: Any) -> TypeGuard[int]:
    return _is_whole(value) and value <= codec.LATEST_MS


def _id_of(data: bytes) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(data).digest()[:16], version=5))
