"""What the updater remembers between its passes, in one small file that is whole or not there.

A torn or missing file costs memory, never safety: which release is on probation stands in the links.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from vonggac.daemon.files import write_durably

Step = Literal["idle", "fetching", "unpacking", "probation", "returning", "returned", "refused", "done"]
STATE = "state.json"


@dataclass(frozen=True)
class Try:
    """What became of a manifest that did not stay: not tried again before `again_ms` (the collector's time; None:
    never)."""

    count: int
    again_ms: int | None


@dataclass(frozen=True)
class State:
    """`target` is the release that `step` is about; `percent` of its download; `since_ms` by the box's clock.

    Of a probation: `cameras` showed a picture before it, it began at `began_ms` of the collector's clock, and was
    watched over from a beginning `watches` times. `tries` by the SHA-256 of manifests.
    """

    step: Step = "idle"
    target: str | None = None
    reason: str | None = None
    percent: int | None = None
    since_ms: int | None = None
    manifest: str | None = None
    cameras: tuple[str, ...] = ()
    began_ms: int = 0
    watches: int = 0
    tries: dict[str, Try] = field(default_factory=dict)

    def changed(self, **changes: Any) -> "State":
        """With other values."""
        return replace(self, **changes)


def read_state(folder: Path) -> State:
    """As the file says; State() when there is none or it makes no sense."""
    try:
        found = json.loads((folder / STATE).read_bytes())
        tries = {str(name): Try(int(each["count"]), each["again_ms"]) for name, each in found.pop("tries").items()}
        cameras = tuple(str(name) for name in found.pop("cameras"))
        known = {each.name for each in fields(State)}
        state = State(**{name: value for name, value in found.items() if name in known}, tries=tries, cameras=cameras)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return State()
    is_sound = state.step in get_args(Step) and isinstance(state.watches, int) and isinstance(state.began_ms, int)
    is_sound = is_sound and all(isinstance(text, str | None) for text in (state.target, state.reason, state.manifest))
    is_sound = is_sound and all(isinstance(number, int | None) for number in (state.percent, state.since_ms))
    return state if is_sound else State()


def write_state(folder: Path, state: State) -> None:
    """Everybody may read it: the agent tells it in its heartbeats. Raises OSError."""
    write_durably(folder / STATE, json.dumps(asdict(state), ensure_ascii=False).encode(), mode=0o644)
