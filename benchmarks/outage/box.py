"""A box that lives through the schedule: the real outbox and disk budget, time turned by hand, in a process of its own.

`python -m benchmarks.outage.box FOLDER HOURS SEED BUDGET BEGIN UNTIL` lives through episodes [BEGIN, UNTIL), the
first of which a process before it may have begun when it was killed, and prints the number of each once it is through.
"""

import hashlib
import random
import sys
import uuid
from pathlib import Path

from benchmarks.outage.policy import Episode
from edge_agent.outbox.budget import DiskBudget, DiskLimits
from edge_agent.outbox.items import ClipClass, NewSnapshot
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from vonggac.daemon.files import make_folder, write_durably
from vonggac.daemon.logs import configure_logs
from vonggac.wire import messages
from vonggac.wire.codec import decode
from vonggac.wire.messages import Receipt

BOX = "outage-01"
START_MS = 1_790_000_000_000
EVERY_MS = 120_000
HOURS_ONLINE = 4
_RECTANGLE = (0.2, 0.3, 0.4, 0.8)


def schedule(hours: float, seed: int) -> list[Episode]:
    """Four hours with a link, then so many without; an episode every two minutes on one of three cameras."""
    rng = random.Random(seed)
    online = round(HOURS_ONLINE * 3_600_000 / EVERY_MS)
    return [
        Episode(
            number=number,
            at_ms=START_MS + number * EVERY_MS,
            camera=rng.choice(["gate", "yard", "shop"]),
            clip_class=rng.choices([0, 1, 2], [0.5, 0.35, 0.15])[0],
            clip_bytes=rng.randint(3_000, 30_000),
            snapshot_bytes=rng.randint(200, 400),
            delivered=number < online,
        )
        for number in range(online + round(hours * 3_600_000 / EVERY_MS))
    ]


def id_of(kind: str, number: int) -> str:
    """The id of an episode, clip or message, the same in every process."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}"))


def content(kind: str, number: int, size: int) -> bytes:
    """Recognisable bytes; a snapshot begins as a JPEG does."""
    head = b"\xff\xd8\xff\xe0" if kind == "snapshot" else b""
    return (head + f"{kind} {number} ".encode() * (size // 8 + 1))[:size]


class Box:
    """The outbox of the folder, and where the schedule stands in it."""

    def __init__(self, folder: Path, budget_bytes: int, now_ms: int) -> None:
        self.clock = FakeClock(wall_ms=now_ms)
        self.outbox = Outbox(folder, self.clock, BOX)
        self.budget = DiskBudget(self.outbox, DiskLimits(budget_bytes))
        self._clips = folder / "clips"
        make_folder(self._clips)

    def live(self, episode: Episode, already: set[str]) -> None:
        """One episode; `already` names the events of it that a killed process had put."""
        self.clock.advance(max(0, episode.at_ms - self.clock.wall_ms()))
        ident, jpeg = (
            id_of("episode", episode.number),
            content("snapshot", episode.number, episode.snapshot_bytes),
        )
        end_ms = episode.at_ms + 20_000
        if "episode_started" not in already:
            self.outbox.put_event(
                messages.EpisodeStarted(
                    episode=ident,
                    camera=episode.camera,
                    start_ms=episode.at_ms,
                    box=_RECTANGLE,
                    snapshot_sha256=hashlib.sha256(jpeg).hexdigest(),
                ),
                NewSnapshot(ident, jpeg),
            )
        self.clock.advance(20_000)
        if "episode_ended" not in already:
            self.outbox.put_event(
                messages.EpisodeEnded(
                    episode=ident, camera=episode.camera, start_ms=episode.at_ms, end_ms=end_ms, box=_RECTANGLE
                )
            )
        if "clip_ready" not in already:
            self._put_clip(episode, ident)
        if episode.delivered:
            self._deliver(episode, jpeg)
        self.clock.advance(10_000)
        self.budget.enforce()

    def _put_clip(self, episode: Episode, ident: str) -> None:
        data = content("clip", episode.number, episode.clip_bytes)
        path = self._clips / f"{episode.number:06}.mp4"
        write_durably(path, data)
        body = messages.ClipReady(
            clip=id_of("clip", episode.number),
            episode=ident,
            camera=episode.camera,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            first_frame_ms=episode.at_ms - 5000,
            duration_ms=30_000,
            codec="h264",
            width=1920,
            height=1080,
        )
        self.outbox.put_clip(body, path, ClipClass(episode.clip_class))

    def _deliver(self, episode: Episode, jpeg: bytes) -> None:
        clip = content("clip", episode.number, episode.clip_bytes)
        self.outbox.receipt(
            Receipt(
                outbox=self.outbox.id,
                ranges=((1, self.outbox.last_seq()),),
                snapshots=(hashlib.sha256(jpeg).hexdigest(),),
                clips=(hashlib.sha256(clip).hexdigest(),),
            )
        )

    def put_for(self, number: int) -> set[str]:
        """Which events of an episode wait here."""
        ident = id_of("episode", number)
        waiting = [decode(event.message).body for event in self.outbox.next_events(20, self.outbox.last_seq() - 12)]
        return {body.type for body in waiting if getattr(body, "episode", None) == ident and body.type != "data_lost"}


def main() -> None:
    """Live from where the folder stands to episode UNTIL (exclusive)."""
    configure_logs("error")
    folder, hours, seed, budget, begin, until = Path(sys.argv[1]), *map(float, sys.argv[2:])
    episodes = schedule(hours, int(seed))[int(begin) : int(until)]
    box = Box(folder, int(budget), episodes[0].at_ms)
    already = box.put_for(episodes[0].number)
    for episode in episodes:
        box.live(episode, already)
        already = set()
        print(episode.number, flush=True)
    box.outbox.close()


if __name__ == "__main__":
    main()
