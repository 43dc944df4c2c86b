"""MQTT topics: what a box publishes under `up/`, what it reads under `down/`, and how a topic is read back."""

from dataclasses import dataclass

from vonggac.wire.errors import MalformedMessage
from vonggac.wire.ids import is_box_id, is_uuid

ROOT = "vg/1"
KINDS_UP = ("status", "heartbeat", "event", "reply", "snapshot")
COLLECTOR_SUBSCRIPTION = f"{ROOT}/+/up/#"
"""What the collector subscribes to, at QoS 1."""


@dataclass(frozen=True)
class UpTopic:
    """A topic of a box: `kind` is one of KINDS_UP; `episode` is given for snapshots alone."""

    box: str
    kind: str
    episode: str | None = None


def up(box: str, kind: str) -> str:
    """`vg/1/<box>/up/<kind>`"""
    return f"{ROOT}/{box}/up/{kind}"


def snapshot(box: str, episode: str) -> str:
    """`vg/1/<box>/up/snapshot/<episode>`"""
    return f"{ROOT}/{box}/up/snapshot/{episode}"


def receipt(box: str) -> str:
    """`vg/1/<box>/down/receipt`"""
    return f"{ROOT}/{box}/down/receipt"


def command(box: str) -> str:
    """`vg/1/<box>/down/command`"""
    return f"{ROOT}/{box}/down/command"


def down_subscription(box: str) -> str:
    """`vg/1/<box>/down/#`: what a box subscribes to, at QoS 1."""
    return f"{ROOT}/{box}/down/#"


def parse_up(topic: str) -> UpTopic:
    """Read a topic that a box published under; raise MalformedMessage for anything else."""
    levels = topic.split("/")
    if levels[:2] != ROOT.split("/") or len(levels) < 5 or levels[3] != "up" or not is_box_id(levels[2]):
        raise MalformedMessage(f"topic {topic[:120]!r} is not vg/1/<box>/up/…")
    box, kind, rest = levels[2], levels[4], levels[5:]
    if kind == "snapshot" and len(rest) == 1 and is_uuid(rest[0]):
        return UpTopic(box, kind, rest[0])
    if kind in KINDS_UP and kind != "snapshot" and not rest:
        return UpTopic(box, kind)
    raise MalformedMessage(f"topic {topic[:120]!r} names nothing that a box publishes")
