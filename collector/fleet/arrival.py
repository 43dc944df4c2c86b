"""How far a new box has come: enrolled, first heartbeat, first picture of each camera, accepted. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["enrolled", "heartbeat", "picture", "accepted"]


BEARABLE = frozenset({"clock_unset", "demoted"})
"""Synchronising takes its time, and the collector dates what such a box says (docs/design/time.md); what stirs for long
in one place is for whoever looks after the camera later."""


@dataclass(frozen=True)
class Step:
    """One step; `camera` for a picture alone."""

    kind: Kind
    camera: str | None = None


@dataclass(frozen=True)
class Arrived:
    """What was heard of a box since its bundle was made; times by the collector's clock, None: not yet.

    `pictures` are cameras of which the last heartbeat tells a decoded frame; `ails` what its states complain of;
    `remarks` what they complain of that an installer need not wait for (BEARABLE).
    """

    enrolled_ms: int | None
    heartbeat_ms: int | None
    pictures: frozenset[str] = frozenset()
    ails: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def steps_of(cameras: Iterable[str]) -> list[Step]:
    """All steps of a box with these cameras, in their order."""
    pictures = [Step("picture", camera) for camera in cameras]
    return [Step("enrolled"), Step("heartbeat"), *pictures, Step("accepted")]


def steps_done(steps: list[Step], heard: Arrived) -> list[Step]:
    """Those that are done. Accepted is a box of which all else is done and of which nothing is wrong now."""
    beats = heard.enrolled_ms is not None and (heard.heartbeat_ms or 0) > heard.enrolled_ms
    done: list[Step] = []
    for step in steps:
        well = {
            "enrolled": heard.enrolled_ms is not None,
            "heartbeat": beats,
            "picture": beats and step.camera in heard.pictures,
            "accepted": len(done) == len(steps) - 1 and not heard.ails,
        }[step.kind]
        if well:
            done.append(step)
    return done
