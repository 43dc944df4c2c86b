"""Simulated days offline: a real outbox against the policy told a second time, over a restart and power cuts."""

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.outage.box import Box, content, id_of, schedule
from benchmarks.outage.policy import Episode, Expected
from edge_agent.outbox.fsck import check_outbox
from vonggac.wire.codec import decode
from vonggac.wire.messages import DataLost


@dataclass
class Outcome:
    """What was compared; `differences` is empty when box and policy agree in everything."""

    episodes: int
    offline: int
    restarts: int
    power_cuts: int
    kept: Counter[int] = field(default_factory=Counter)
    lost_clips: Counter[int] = field(default_factory=Counter)
    lost_snapshots: int = 0
    events: int = 0
    last_seq: int = 0
    used_bytes: int = 0
    budget_bytes: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)


def run(folder: Path, hours: float, seed: int, budget_bytes: int, power_cuts: int) -> Outcome:
    """Live through it: a clean restart and `power_cuts` at random moments of the time offline; then compare."""
    began = time.monotonic()
    episodes = schedule(hours, seed)
    rng = random.Random(seed + 1)
    offline = [episode.number for episode in episodes if not episode.delivered]
    stops = sorted(rng.sample(offline[1:-1], power_cuts + 1))
    clean = stops[len(stops) // 2]
    begin = 0
    for stop in [*stops, len(episodes)]:
        command = [sys.executable, "-m", "benchmarks.outage.box", str(folder)]
        command += [str(value) for value in (hours, seed, budget_bytes, begin)]
        if stop in (clean, len(episodes)):
            subprocess.run([*command, str(stop)], check=True, stdout=subprocess.DEVNULL)
            begin = stop
        else:
            begin = _live_and_be_killed([*command, str(len(episodes))], stop, rng.uniform(0, 0.012))
            _cut_power(folder, rng)
    outcome = compare(folder, episodes, budget_bytes)
    outcome.restarts, outcome.power_cuts = 1, power_cuts
    outcome.seconds = time.monotonic() - began
    return outcome


def _live_and_be_killed(command: list[str], stop: int, after_s: float) -> int:
    """SIGKILL a moment after episode `stop` was through; the number of the first that was not reported through."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    through = -1
    for line in process.stdout:
        through = int(line)
        if through == stop:
            time.sleep(after_s)
            process.kill()
    if process.wait() == 0:
        raise RuntimeError(f"{command} ended by itself before it was killed")
    return through + 1


def _cut_power(folder: Path, rng: random.Random) -> None:
    """Make a killed process' folder one after a power cut: no shared memory, torn bytes where nothing was synced yet.

    What was committed stays: `synchronous=FULL` had it on the disk. A frame torn off at the log's end, and a clip half
    written beside its final name, were not.
    """
    (folder / "outbox.sqlite-shm").unlink(missing_ok=True)
    with (folder / "outbox.sqlite-wal").open("ab") as log:
        log.write(rng.randbytes(rng.randint(1, 4119)))
    (folder / "clips" / f".{rng.randint(0, 999_999):06}.mp4.1.tmp").write_bytes(rng.randbytes(700))


def expect(episodes: list[Episode], budget_bytes: int) -> Expected:
    """The policy's own account of the same schedule."""
    expected = Expected(budget_bytes)
    for episode in episodes:
        expected.happen(episode)
    return expected


def compare(folder: Path, episodes: list[Episode], budget_bytes: int) -> Outcome:
    """Files, rows, events, losses, numbers and the order of sending, each against the policy."""
    expected = expect(episodes, budget_bytes)
    box = Box(folder, budget_bytes, episodes[-1].at_ms + 60_000)
    outcome = Outcome(len(episodes), sum(not episode.delivered for episode in episodes), 0, 0)
    try:
        _compare_clips(folder, box, expected, outcome)
        _compare_events(box, expected, outcome)
        _compare_sending(box, expected, outcome)
    finally:
        box.outbox.close()
    by_number = {episode.number: episode for episode in episodes}
    outcome.lost_clips = Counter(by_number[number].clip_class for what, number in expected.lost if what == "clip")
    outcome.lost_snapshots = sum(what == "snapshot" for what, _ in expected.lost)
    outcome.budget_bytes = budget_bytes
    outcome.differences += [f"fsck: {finding}" for finding in check_outbox(folder)]
    return outcome


def _differ(outcome: Outcome, what: str, found: object, expected: object) -> None:
    if found != expected:
        outcome.differences.append(f"{what}: the box has {str(found)[:300]}, the policy says {str(expected)[:300]}")


def _compare_clips(folder: Path, box: Box, expected: Expected, outcome: Outcome) -> None:
    rows = {row.clip: (row.state, int(row.clip_class), row.size_bytes) for row in box.outbox.kept_clips()}
    wanted = {
        id_of("clip", clip.number): ("delivered" if clip.delivered else "waiting", clip.clip_class, clip.clip_bytes)
        for clip in expected.clips.values()
    }
    _differ(outcome, "clips", sorted(rows.items()), sorted(wanted.items()))
    files = {path.name: path.read_bytes() for path in (folder / "clips").glob("[0-9]*.mp4")}
    bytes_wanted = {
        f"{clip.number:06}.mp4": content("clip", clip.number, clip.clip_bytes) for clip in expected.clips.values()
    }
    _differ(outcome, "clip files", sorted(files), sorted(bytes_wanted))
    spoilt = [name for name, data in files.items() if data != bytes_wanted.get(name)]
    _differ(outcome, "spoilt clip files", spoilt, [])
    outcome.kept = Counter(clip_class for _, clip_class, _ in rows.values())
    used = sum(size for _, _, size in rows.values()) + box.outbox.snapshot_bytes()
    outcome.used_bytes = used
    _differ(outcome, "bytes used", used, expected.used_bytes())
    _differ(outcome, "budget kept", used <= expected.budget_bytes, True)


def _compare_events(box: Box, expected: Expected, outcome: Outcome) -> None:
    numbers = {id_of("episode", number): number for number in range(outcome.episodes)}
    found, seqs = [], []
    for event in box.outbox.next_events(1_000_000):
        body = decode(event.message).body
        kind = f"lost {body.what}" if isinstance(body, DataLost) else body.type
        found.append((kind, numbers[body.episode]))  # type: ignore[attr-defined]
        seqs.append(event.seq)
    _differ(outcome, "events in order", found, expected.events)
    _differ(outcome, "numbers", seqs, list(range(expected.numbers_given - len(seqs) + 1, expected.numbers_given + 1)))
    snapshots = [numbers[snapshot.episode] for snapshot in box.outbox.next_snapshots(1_000_000)]
    _differ(outcome, "snapshots", snapshots, sorted(expected.snapshots))
    outcome.events, outcome.last_seq = len(found), box.outbox.last_seq()


def _compare_sending(box: Box, expected: Expected, outcome: Outcome) -> None:
    sent: list[str] = []
    while (clip := box.outbox.next_clip(sent)) is not None:
        sent.append(clip.clip)
    _differ(outcome, "order of sending", sent, [id_of("clip", number) for number in expected.order_of_sending()])
