"""Whether a release has passed its probation, by what the collector has heard of the box. Pure.

It has, once the collector holds a heartbeat of it (so the box still reaches its server all the way into the database),
sent after the switch, by a run that has lasted a while, in which every camera that showed a picture before shows one.
"""

from dataclasses import dataclass

from vonggac.wire.release import Heard


@dataclass(frozen=True)
class Trial:
    """`began_ms` is the collector's time of the switch, `steady_ms` how long a run must have lasted."""

    version: str
    cameras: tuple[str, ...]
    began_ms: int
    steady_ms: int


def missing(trial: Trial, heard: Heard | None) -> str | None:
    """What is still missing, in words for a technician; None when it has passed."""
    if heard is None or heard.version != trial.version or heard.received_ms <= trial.began_ms:
        return f"no heartbeat of {trial.version} has arrived"
    if heard.ran_ms is None or heard.ran_ms < trial.steady_ms:
        return f"{trial.version} has not run for {trial.steady_ms // 1000} s without a new start"
    blind = [name for name in trial.cameras if not heard.cameras.get(name, False)]
    return f"no picture of {', '.join(blind)}" if blind else None


def seen_before(heard: Heard | None) -> tuple[str, ...]:
    """The cameras that a new release must show."""
    return () if heard is None else tuple(sorted(name for name, shows in heard.cameras.items() if shows))
