"""docs/ref/wire.md, made from the code: `python -m vonggac.wire.reference > docs/ref/wire.md`. A test compares them."""

import dataclasses
import inspect
import sys
import types
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vonggac.wire import codec, messages, topics
from vonggac.wire.messages import BODIES, Envelope

_EXAMPLE_BOX = "<box>"
_SNAPSHOT_KIB = codec.MAX_SNAPSHOT_BYTES // 1024
_MESSAGE_KIB = codec.MAX_MESSAGE_BYTES // 1024
_PARTS: tuple[type, ...] = (
    messages.CameraInfo,
    messages.StreamHealth,
    messages.CameraHealth,
    messages.DemotedPlace,
    messages.BoxHealth,
    messages.OutboxHealth,
    messages.Refused,
    messages.PathPoint,
)

_HEAD = f"""# The wire

*Made from `vonggac/wire` by `python -m vonggac.wire.reference`; change it there.*

MQTT at QoS 1, nothing that 3.1.1 lacks. A box publishes only under its own `up/` and reads only its own `down/`; its id
(`[a-z0-9-]{{3,40}}`) is its user name and certificate CN, and with 32 secret digits behind it its client id.

| topic | holds |
|---|---|
| `{topics.up(_EXAMPLE_BOX, "status")}` | retained: `birth`, or `offline` (also the last will) |
| `{topics.up(_EXAMPLE_BOX, "heartbeat")}` | `heartbeat` |
| `{topics.up(_EXAMPLE_BOX, "event")}` | the sequenced messages |
| `{topics.snapshot(_EXAMPLE_BOX, "<episode>")}` | JPEG of at most {_SNAPSHOT_KIB} KiB; events name it by SHA-256 |
| `{topics.up(_EXAMPLE_BOX, "reply")}` | `reply` |
| `{topics.receipt(_EXAMPLE_BOX)}` | `receipt` |
| `{topics.command(_EXAMPLE_BOX)}` | `command` |

A message is one JSON object in UTF-8 of at most {_MESSAGE_KIB} KiB. Unknown fields are ignored, types are strict
(`true` is no number, `1.0` no whole number), unknown types are kept aside and counted; an event that cannot be read
keeps its number in the ledger and gets its receipt, as long as `box`, `outbox` and `seq` can be read. Fields are only
ever added, with a default; the messages under `tests/contract/golden` decode for ever. `_ms` is UTC in milliseconds
unless the name says `mono_ms`, `duration_ms`, `t_ms`, `age_ms`, `uptime_ms` or `pre_roll_ms`, and at most 2^44 (the
year 2527); a rectangle is `[x0, y0, x1, y1]` in 0..1 of the picture; `null` means unknown, never zero.

Clips do not travel here: see the upload under `/upload/` (tus 1.0) in `docs/ref/http.md`.
"""


def reference() -> str:
    """The whole document, Markdown."""
    parts = [_HEAD, "## Envelope\n", _doc(Envelope), _table(Envelope, skip=("body",))]
    parts.append("Besides these: `type` (text, names the body) and `body` (object).\n")
    for body in BODIES:
        note = " (sequenced)" if body.sequenced else ""
        parts += [f"## `{body.type}`{note}\n", _doc(body), _table(body)]
    parts.append("## Parts of messages\n")
    for part in _PARTS:
        parts += [f"### {part.__name__}\n", _doc(part), _table(part)]
    return "\n".join(parts)


def _doc(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "") + "\n"


def _table(cls: type, skip: tuple[str, ...] = ()) -> str:
    hints = get_type_hints(cls)
    rows = ["| field | type | default |", "|---|---|---|"]
    for field in dataclasses.fields(cls):
        if field.name in skip:
            continue
        if field.default is not dataclasses.MISSING:
            default = "null" if field.default is None else f"`{_json(field.default)}`"
        else:
            default = "must be given" if field.default_factory is dataclasses.MISSING else "`{}`"
        rows.append(f"| `{field.name}` | {_spell(hints[field.name])} | {default} |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else "No fields.\n"


def _json(value: Any) -> str:
    return "[]" if value == () else str(value).lower() if isinstance(value, bool) else str(value)


def _spell(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return f"{_spell(args[0])} or null"
    if origin is Literal:
        return " \\| ".join(f"`{arg}`" for arg in args)
    if hint == messages.Rectangle:
        return "rectangle"
    if origin is tuple:
        return f"list of {_spell(args[0])}" if args[-1] is Ellipsis else f"[{', '.join(map(_spell, args))}]"
    if origin is dict:
        return "object of text"
    if dataclasses.is_dataclass(hint):
        return str(getattr(hint, "__name__", hint))
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[hint]


if __name__ == "__main__":
    sys.stdout.write(reference())
