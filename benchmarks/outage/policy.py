"""What must be kept and dropped on a box without a link, told a second time. PURE.

Rules: written from the promise (delivered clips go first, then the lowest class, then the oldest, then the oldest
snapshots, never an event; each loss of something undelivered is a numbered `data_lost`) and not from the agent's code,
of which it imports nothing. One victim at a time, looked for anew each time: slow, and easy to believe.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Episode:
    """One episode as scheduled: `delivered` ones happen while the link is up."""

    number: int
    at_ms: int
    camera: str
    clip_class: int
    clip_bytes: int
    snapshot_bytes: int
    delivered: bool


@dataclass
class Expected:
    """What a box must hold after the episodes that happened so far."""

    budget_bytes: int
    clips: dict[int, Episode] = field(default_factory=dict)
    snapshots: dict[int, int] = field(default_factory=dict)
    events: list[tuple[str, int]] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    numbers_given: int = 0

    def happen(self, episode: Episode) -> None:
        """Started with a snapshot, ended, clip ready; handed over when the link is up; then room is made."""
        self._say(("episode_started", episode.number), episode.delivered)
        self._say(("episode_ended", episode.number), episode.delivered)
        self._say(("clip_ready", episode.number), episode.delivered)
        self.clips[episode.number] = episode
        if not episode.delivered:
            self.snapshots[episode.number] = episode.snapshot_bytes
        self._make_room()

    def used_bytes(self) -> int:
        """Clips and snapshots together."""
        return sum(clip.clip_bytes for clip in self.clips.values()) + sum(self.snapshots.values())

    def order_of_sending(self) -> list[int]:
        """Undelivered clips in the order in which they go out: the highest class first, the oldest of it first."""
        waiting = [clip for clip in self.clips.values() if not clip.delivered]
        return [clip.number for clip in sorted(waiting, key=lambda clip: (-clip.clip_class, clip.number))]

    def _say(self, event: tuple[str, int], taken: bool) -> None:
        self.numbers_given += 1
        if not taken:
            self.events.append(event)

    def _make_room(self) -> None:
        while self.used_bytes() > self.budget_bytes:
            if self.clips:
                victim = self._least_worth()
                del self.clips[victim.number]
                if not victim.delivered:
                    self._lose("clip", victim.number)
            elif self.snapshots:
                oldest = min(self.snapshots)
                del self.snapshots[oldest]
                self._lose("snapshot", oldest)
            else:
                return

    def _least_worth(self) -> Episode:
        done_with = [clip for clip in self.clips.values() if clip.delivered]
        if done_with:
            return min(done_with, key=lambda clip: clip.number)
        lowest = min(clip.clip_class for clip in self.clips.values())
        return min((clip for clip in self.clips.values() if clip.clip_class == lowest), key=lambda clip: clip.number)

    def _lose(self, what: str, number: int) -> None:
        self.lost.append((what, number))
        self._say((f"lost {what}", number), taken=False)
