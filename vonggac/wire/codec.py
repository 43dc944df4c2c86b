"""Messages to JSON and back. Strict about types, deaf to unknown fields, bounded in size and depth.

An envelope is one JSON object; the body's fields stand under `body`. Limits protect the reader: a message is at most
`MAX_MESSAGE_BYTES`, text at most 4,096 characters, a list at most 4,096 items, a time before `LATEST_MS`. What is no
JSON number is refused in unknown fields too, since whoever keeps a body as it came would keep what no database reads.
"""

import dataclasses
import functools
import json
import math
import types
import typing
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vonggac.wire.errors import MalformedMessage, UnknownType
from vonggac.wire.ids import is_box_id, is_camera_name, is_uuid
from vonggac.wire.messages import BODY_OF_TYPE, Body, Envelope

MAX_MESSAGE_BYTES = 64 * 1024
MAX_SNAPSHOT_BYTES = 40 * 1024
MAX_TEXT = 4096
MAX_ITEMS = 4096
MAX_INT = 2**63 - 1
LATEST_MS = 2**44
"""The year 2527: what is reckoned from several such times is still a moment that has a date."""
_HEX = frozenset("0123456789abcdef")
_ID_FIELDS = frozenset({"episode", "clip", "outbox", "to", "request"})
_SHA_FIELDS = frozenset({"sha256", "snapshot_sha256"})


def encode(envelope: Envelope) -> bytes:
    """One JSON object, UTF-8, no spaces. Raises ValueError for a message that is longer than MAX_MESSAGE_BYTES."""
    fields = {
        field.name: _plain(getattr(envelope, field.name))
        for field in dataclasses.fields(envelope)
        if field.name != "body"
    }
    fields["type"] = envelope.body.type
    fields["body"] = _plain(envelope.body)
    data = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise ValueError(f"message {envelope.body.type} is {len(data)} bytes, the wire takes {MAX_MESSAGE_BYTES}")
    return data


def decode(data: bytes) -> Envelope:
    """Read one message. Raises UnknownType for a sound envelope of an unknown type, MalformedMessage for all else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"{len(data)} bytes are more than {MAX_MESSAGE_BYTES}")
    try:
        fields = json.loads(data, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {str(error)[:120]}") from None
    if not isinstance(fields, dict):
        raise MalformedMessage("not a JSON object")
    version = fields.get("v")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise MalformedMessage("v: is missing or no positive whole number")
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise MalformedMessage("type: is missing or no text")
    _text(kind, "type")
    body_class = BODY_OF_TYPE.get(kind)
    if body_class is None or version != 1:
        raise UnknownType(f"type {kind[:60]!r} of version {version} is not known here")
    body = fields.get("body")
    if not isinstance(body, dict):
        raise MalformedMessage("body: is missing or no object")
    envelope = typing.cast("Envelope", _read_object(Envelope, fields, "", body=_read_object(body_class, body, "body.")))
    _check_envelope(envelope)
    return envelope


def _check_envelope(envelope: Envelope) -> None:
    if not is_box_id(envelope.box):
        raise MalformedMessage("box: must be 3–40 of a–z, 0–9 and -")
    for name in ("id", "boot_id"):
        if not is_uuid(getattr(envelope, name)):
            raise MalformedMessage(f"{name}: is no UUID")
    if envelope.body.sequenced and (envelope.seq is None or envelope.outbox is None):
        raise MalformedMessage(f"seq, outbox: {envelope.body.type} is sequenced and must carry both")
    if envelope.seq is not None and envelope.seq < 1:
        raise MalformedMessage("seq: counts from 1")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(cls).items() if get_origin(hint) is not typing.ClassVar}


def _read_object(cls: type, fields: dict[str, Any], where: str, **given: Body) -> Any:
    hints = _hints(cls)
    values: dict[str, Any] = dict(given)
    for field in dataclasses.fields(cls):
        if field.name in given:
            continue
        if field.name in fields:
            values[field.name] = _read(hints[field.name], fields[field.name], where + field.name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise MalformedMessage(f"{where}{field.name}: is missing")
    return cls(**values)


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType:  # `X | None` is the only union on this wire
        return None if value is None else _read(args[0], value, where)
    if origin is Literal:
        if value not in args or not isinstance(value, str):
            raise MalformedMessage(f"{where}: must be one of {', '.join(args)}")
        return value
    if origin is tuple:
        return _read_tuple(args, value, where)
    if origin is dict:
        if not isinstance(value, dict) or len(value) > 64:
            raise MalformedMessage(f"{where}: must be an object of at most 64 fields")
        return {_text(key, where): _text(item, f"{where}.{key[:40]}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise MalformedMessage(f"{where}: must be an object")
        return _read_object(typing.cast("type", hint), value, where + ".")
    if hint is str:
        return _named_text(value, where)
    if hint is bool:
        if not isinstance(value, bool):
            raise MalformedMessage(f"{where}: must be true or false")
        return value
    return _number(hint, value, where)


def _read_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise MalformedMessage(f"{where}: must be a list of at most {MAX_ITEMS}")
    if args[-1] is Ellipsis:
        return tuple(_read(args[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if len(value) != len(args):
        raise MalformedMessage(f"{where}: must have {len(args)} items")
    items = tuple(
        _read(hint, item, f"{where}[{index}]") for index, (hint, item) in enumerate(zip(args, value, strict=True))
    )
    if where.endswith(".box") and not (0 <= items[0] <= items[2] <= 1 and 0 <= items[1] <= items[3] <= 1):
        raise MalformedMessage(f"{where}: must be [x0, y0, x1, y1] in 0..1")
    return items


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise MalformedMessage(f"{where}: must be text of at most {MAX_TEXT} characters")
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in value):
        raise MalformedMessage(f"{where}: holds a character that no text has")
    return value


def _named_text(value: Any, where: str) -> str:
    """Text whose field's name says more: ids, hashes and camera names become file names, so they are checked here."""
    text = _text(value, where)
    name = where.rsplit(".", 1)[-1].partition("[")[0]
    if name in _ID_FIELDS and not is_uuid(text):
        raise MalformedMessage(f"{where}: is no UUID")
    if (name in _SHA_FIELDS or where.startswith(("body.clips[", "body.snapshots["))) and not (
        len(text) == 64 and set(text) <= _HEX
    ):
        raise MalformedMessage(f"{where}: is no SHA-256 in 64 hexadecimal digits")
    is_camera = name == "camera" or (name == "name" and ".cameras[" in "." + where)
    if is_camera and not is_camera_name(text):
        raise MalformedMessage(f"{where}: is no camera name")
    return text


def _number(hint: Any, value: Any, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedMessage(f"{where}: must be a number")
    if hint is int:
        if not isinstance(value, int) or abs(value) > MAX_INT:
            raise MalformedMessage(f"{where}: must be a whole number of 64 bits")
        if value < 0 and where.endswith(("_ms", "_bytes", "seq")):
            raise MalformedMessage(f"{where}: must not be negative")
        if value > LATEST_MS and where.endswith("_ms"):
            raise MalformedMessage(f"{where}: lies too far ahead")
        return value
    try:
        number = float(value)
    except OverflowError:
        raise MalformedMessage(f"{where}: is out of range") from None
    if not math.isfinite(number):
        raise MalformedMessage(f"{where}: is out of range")
    return number
