"""A backlog as days offline leave it: put into the real outbox of a box that is not running."""

import hashlib
import os
import random
import uuid
from pathlib import Path

from edge_agent.outbox.items import ClipClass, NewSnapshot
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from vonggac.daemon.files import make_folder
from vonggac.wire import messages

_RECTANGLE = (0.2, 0.3, 0.4, 0.8)
_EVERY_MS = 120_000


def prepare(folder: Path, box: str, clips: int, clip_bytes: int, snapshot_bytes: int, now_ms: int) -> None:
    """So many episodes, two minutes apart, the last a quarter of an hour ago; contents are random bytes."""
    rng = random.Random(1)
    clock = FakeClock(wall_ms=now_ms - 900_000 - clips * _EVERY_MS)
    outbox = Outbox(folder, clock, box)
    make_folder(folder / "clips")
    for _ in range(clips):
        clock.advance(_EVERY_MS)
        episode, start_ms = str(uuid.uuid4()), clock.wall_ms()
        jpeg = b"\xff\xd8\xff\xe0" + os.urandom(snapshot_bytes - 4)
        outbox.put_events(
            [
                messages.EpisodeStarted(
                    episode=episode,
                    camera="gate",
                    start_ms=start_ms,
                    box=_RECTANGLE,
                    snapshot_sha256=hashlib.sha256(jpeg).hexdigest(),
                ),
                messages.EpisodeEnded(
                    episode=episode, camera="gate", start_ms=start_ms, end_ms=start_ms + 15_000, box=_RECTANGLE
                ),
            ],
            [NewSnapshot(episode, jpeg)],
        )
        _put_clip(outbox, folder, episode, start_ms, clip_bytes, rng)
    outbox.close()


def _put_clip(outbox: Outbox, folder: Path, episode: str, start_ms: int, clip_bytes: int, rng: random.Random) -> None:
    data = os.urandom(clip_bytes)
    clip = str(uuid.uuid4())
    path = folder / "clips" / f"{clip}.mp4"
    path.write_bytes(data)
    body = messages.ClipReady(
        clip=clip,
        episode=episode,
        camera="gate",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        first_frame_ms=start_ms - 5000,
        duration_ms=25_000,
        codec="h264",
        width=1920,
        height=1080,
    )
    outbox.put_clip(body, path, rng.choice(list(ClipClass)))
