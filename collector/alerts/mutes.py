"""Which episodes are muted: told to nobody for a while, on somebody's word. PURE.

Rules: a mute always ends. It holds for one camera, whole or one of its zones, at all hours or some. An episode that
touches a zone which is not muted is heard; tampering is never muted, for a covered camera must not look like quiet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from collector.alerts.rules import EpisodeFacts, Hours, LocalTime

LONGEST_MS = 30 * 86_400_000
"""Nothing is muted for longer at once."""


@dataclass(frozen=True)
class Mute:
    """`camera` is BOX/NAME; `zone` None: the whole picture; `hours` None: always; start ≤ now < until."""

    id: str
    camera: str
    zone: str | None
    hours: Hours | None
    start_ms: int
    until_ms: int

    def is_on(self, now_ms: int, local: LocalTime) -> bool:
        """True while it runs, for an episode that began at this local time."""
        return self.start_ms <= now_ms < self.until_ms and (self.hours is None or self.hours.covers(local))


def muted_by(mutes: Iterable[Mute], episode: EpisodeFacts, local: LocalTime, now_ms: int) -> Mute | None:
    """The mute that keeps this episode from being told; None when a person is to hear of it."""
    if episode.kind.partition(":")[0] == "tamper":
        return None
    camera = f"{episode.box}/{episode.camera}"
    mine = [mute for mute in mutes if mute.camera == camera and mute.is_on(now_ms, local)]
    whole = next((mute for mute in mine if mute.zone is None), None)
    if whole is not None or not episode.zones:
        return whole
    by_zone = {mute.zone: mute for mute in mine}
    return by_zone[episode.zones[0]] if set(episode.zones) <= set(by_zone) else None
