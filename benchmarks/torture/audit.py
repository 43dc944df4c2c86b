"""What was lost, judged from outside: the cameras' schedule, what the proxy heard, the files and rows that are there.

Nothing here asks the programs what they believe, except where that is what is judged (reported holes, fsck).
"""

import hashlib
import itertools
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from benchmarks.torture.camera import FPS, number_in, walk_of
from benchmarks.torture.programs import POST_ROLL_S, PRE_ROLL_S, Box, Life, World
from edge_agent.outbox.budget import REASON as BUDGET

SERVER = "server"

READY_S = 7.0
"""A program that lives so long is surely looking, if its camera has shown it pictures for SEEN_S: on a busy machine
Python's start alone may take longer."""
SEEN_S = 4.0
SURE_S = 2.0
"""A walk watched for so long is surely numbered: 0.3 s of motion, the camera's and the network's way, one sync."""
NOTICED_S = 0.3
"""The pre-roll counts from the picture in which something was noticed, not from the walk's first."""
LOST_S = 2.0
"""The end of a clip that a crash may cost: the part being written (1 s) and what was still on its way to the box."""


@dataclass
class Findings:
    """Counts and complaints; an empty `wrong` is a pass."""

    walks: int = 0
    due: int = 0
    found: int = 0
    events_heard: int = 0
    events_stored: int = 0
    duplicate_rows: int = 0
    clips_announced: int = 0
    clips_stored: int = 0
    clips_decoded: int = 0
    clips_truncated: int = 0
    clips_told_lost: int = 0
    holes_actual: int = 0
    holes_reported: int = 0
    held: int = 0
    held_kept: int = 0
    orphans: int = 0
    fsck: int = 0
    alerts: int = 0
    alerts_told: int = 0
    alerts_repeated: int = 0
    on_torn_cards: int = 0
    made_room: int = 0
    forced_out: int = 0
    worst_tail_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        """Something is not as promised."""
        self.wrong.append(text)


@dataclass(frozen=True)
class Loss:
    """A clip that a box told as lost: when (boottime s) and why."""

    at_s: float
    reason: str


@dataclass(frozen=True)
class Clip:
    """A stored clip, decoded: the numbers of its pictures."""

    id: str
    episode: str
    numbers: tuple[int, ...]
    truncated: bool


def audit(world: World, told: list[str], full: dict[str, list[tuple[float, float]]]) -> Findings:
    """Judge a world whose programs have stopped. `told`: incidents that the hook heard of; `full`: when a disk was
    (boottime s), by box, and the server's under SERVER: clips may be missing then, if that was told."""
    findings = Findings()
    data = world.server_disk.folder / "data"
    with closing(sqlite3.connect(data / "collector.sqlite")) as database:
        database.row_factory = sqlite3.Row
        for box in world.boxes:
            _numbers(findings, database, box)
            _walks(findings, database, box, _clips(findings, database, box, data), full)
        _held(findings, database, world, data)
        _orphans(findings, database, world, data)
        _alerts(findings, database, told)
    _reported(findings, world)
    for one in (world.collector, *(box.agent for box in world.boxes)):
        for life in one.unexpected():
            findings.complain(f"{one.name} ended by itself with code {life.code} at {life.ended_s:.1f}")
    return findings


def _numbers(findings: Findings, database: sqlite3.Connection, box: Box) -> None:
    rows = database.execute("SELECT outbox, seq, message_id FROM events WHERE box = ?", (box.id,)).fetchall()
    stored = {(row["outbox"], row["seq"]): row["message_id"] for row in rows}
    findings.duplicate_rows += len(rows) - len(stored)
    if len(rows) != len(stored):
        findings.complain(f"{box.id}: {len(rows) - len(stored)} numbers stand in more than one row")
    for first, second in box.tap.numbered_twice:
        findings.complain(f"{box.id}: number {first.seq} of {first.outbox} given to {first.kind} and {second.kind}")
    findings.events_heard += len(box.tap.events)
    findings.events_stored += len(stored)
    final = _outbox(box)
    if final is not None:
        outbox, last_seq = final
        missing = sorted(set(range(1, last_seq + 1)) - {seq for name, seq in stored if name == outbox})
        if missing:
            findings.complain(f"{box.id}: numbers {missing[:9]} of 1-{last_seq} were given and are not stored")
        beyond = [seq for name, seq in stored if name == outbox and seq > last_seq]
        if beyond:
            findings.complain(f"{box.id}: stored numbers {beyond[:9]} that the outbox does not know it gave")
    for (outbox, seq), heard in box.tap.events.items():
        message = stored.get((outbox, seq))
        if message is not None and message != heard.message:
            findings.complain(f"{box.id}: number {seq} is stored with another message than was heard")
    for outbox, numbers in box.tap.receipted.items():
        unkept = sorted(seq for seq in numbers if (outbox, seq) not in stored)
        if unkept:
            findings.complain(f"{box.id}: receipts went out for {unkept[:9]}, which are not stored")


def _outbox(box: Box) -> tuple[str, int] | None:
    path = box.disk.folder / "data" / "outbox.sqlite"
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as database:
        name, last_seq = database.execute("SELECT id, last_seq FROM outbox").fetchone()
    return str(name), int(last_seq)


def _clips(findings: Findings, database: sqlite3.Connection, box: Box, data: Path) -> list[Clip]:
    found = []
    for row in database.execute("SELECT * FROM clips WHERE box = ?", (box.id,)).fetchall():
        findings.clips_announced += 1
        if row["state"] != "stored":
            continue
        findings.clips_stored += 1
        findings.clips_truncated += bool(row["truncated"])
        path = data / row["path"]
        if not path.exists():
            findings.complain(f"clip {row['id']} is said to be stored and its file is not there")
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            findings.complain(f"clip {row['id']} has another hash than its row says")
        numbers = _pictures(path)
        if not numbers or any(second != first + 1 for first, second in itertools.pairwise(numbers)):
            findings.complain(f"clip {row['id']} does not hold consecutive pictures: {numbers[:3]}…{numbers[-3:]}")
            continue
        promised = round((row["duration_ms"] or 0) * FPS / 1000)  # none: its announcement went with a torn-out card
        if len(numbers) < promised:
            findings.complain(f"clip {row['id']} holds {len(numbers)} pictures of {promised} promised")
            continue
        findings.clips_decoded += 1
        found.append(Clip(row["id"], row["episode"], tuple(numbers), bool(row["truncated"])))
    return found


def _pictures(path: Path) -> list[int]:
    try:
        with av.open(str(path)) as clip:
            return [number_in(np.asarray(frame.to_ndarray(format="gray"), np.uint8)) for frame in clip.decode(video=0)]
    except av.error.FFmpegError:
        return []


def _walks(
    findings: Findings,
    database: sqlite3.Connection,
    box: Box,
    clips: list[Clip],
    full: dict[str, list[tuple[float, float]]],
) -> None:
    """Every walk that a living, ready agent watched has its episode, and its clip up to what a crash may cost."""
    starts = _episode_starts(database, box)
    losses = _losses(database, box)
    findings.clips_told_lost += len(losses)
    still_open = database.execute("SELECT id FROM episodes WHERE box = ? AND end_ms IS NULL", (box.id,)).fetchall()
    for row in still_open:
        findings.complain(f"{box.id}: episode {row['id']} never ended")
    last_s = box.agent.lives[-1].watched_until_s
    number = 0
    while (shown_s := _shown_s(box, walk_of(number)[1])) < last_s:
        first_s = _shown_s(box, walk_of(number)[0])
        findings.walks += 1
        life = _watching(box, first_s)
        number += 1
        if life is None or life.ended_s is None:
            continue
        if any(first_s - 6 < at < shown_s + 12 for at in box.cards):
            continue  # the card was torn out while it was recorded
        findings.due += 1
        near = [episode for episode, at in starts.items() if first_s - 2.5 < at < shown_s + 1.5]
        covering = [clip for clip in clips if clip.numbers[0] <= walk_of(number - 1)[0] <= clip.numbers[-1]]
        if not covering and _went_with_its_card(database, box, first_s, shown_s, near):
            findings.on_torn_cards += 1
            continue
        if not covering and full[SERVER] and _made_room(database, box, near):
            findings.made_room += 1
            continue
        if not covering and _forced_out(losses, near, full[box.id]):
            findings.forced_out += 1
            continue
        if not near and not covering:
            findings.complain(f"{box.id}: walk {number - 1} at {first_s:.1f} has no episode")
            continue
        findings.found += 1
        lost = [losses[episode].reason for episode in near if episode in losses]
        if any(begin - 8 < first_s < end + 8 for begin, end in full[box.id] + full[SERVER]):
            cut_short = any(clip.truncated and clip.episode in near for clip in clips)  # before the walk, and says so
            if not covering and not lost and not cut_short:
                findings.complain(f"{box.id}: the clip of walk {number - 1} is gone and nobody told")
            continue
        _clip_of_walk(findings, box, number - 1, life, covering, lost)


def _went_with_its_card(
    database: sqlite3.Connection, box: Box, first_s: float, shown_s: float, near: list[str]
) -> bool:
    """The card was torn out later, and what is not here stood on it alone: its clip is said to be left behind, or
    nothing that it numbered after the walk (8 s at most until its clip is announced) has come, or a hole is left of it.
    """
    torn_s = min((at for at in box.cards if at > first_s), default=None)
    if torn_s is None:
        return False
    marks = ",".join("?" * len(near))
    states = {
        row["state"]
        for row in database.execute(f"SELECT state FROM clips WHERE box = ? AND episode IN ({marks})", (box.id, *near))
    }
    if states:
        return states == {"left_behind"}
    came_s = max((at for at in box.cards if at <= first_s), default=0.0)
    kept = database.execute(
        "SELECT outbox, seq, mono_ms FROM events WHERE box = ? AND mono_ms >= ? AND mono_ms < ?",
        (box.id, came_s * 1000, torn_s * 1000),
    ).fetchall()
    if max((row["mono_ms"] / 1000 for row in kept), default=0.0) < (
        shown_s + POST_ROLL_S + 8 if near else first_s + 2.5
    ):
        return True
    numbers = {row["seq"] for row in kept}
    return max(numbers) - min(numbers) + 1 > len(numbers)


def _losses(database: sqlite3.Connection, box: Box) -> dict[str, Loss]:
    """By episode, the clip that the box told as lost."""
    rows = database.execute("SELECT mono_ms, body FROM events WHERE box = ? AND type = 'data_lost'", (box.id,))
    bodies = [(row["mono_ms"] / 1000, json.loads(row["body"])) for row in rows]
    return {body["episode"]: Loss(at_s, body["reason"]) for at_s, body in bodies if body.get("episode")}


def _forced_out(losses: dict[str, Loss], near: list[str], full: list[tuple[float, float]]) -> bool:
    """The box's disk was full, and its budget took the clip that had not been delivered, and says so."""
    told = [losses[episode] for episode in near if episode in losses]
    return bool(told) and all(
        loss.reason == BUDGET and any(begin <= loss.at_s <= end for begin, end in full) for loss in told
    )


def _made_room(database: sqlite3.Connection, box: Box, near: list[str]) -> bool:
    """The server's disk was full, and retention (`keep_free`) deleted the clip that had been stored, and says so."""
    marks = ",".join("?" * len(near))
    rows = database.execute(
        f"SELECT state, stored_ms, deleted_ms FROM clips WHERE box = ? AND episode IN ({marks})", (box.id, *near)
    ).fetchall()
    return bool(rows) and all(row["state"] == "deleted" and row["stored_ms"] for row in rows)


def _clip_of_walk(findings: Findings, box: Box, walk: int, life: Life, covering: list[Clip], lost: list[str]) -> None:
    first, last = walk_of(walk)
    ended_s = life.watched_until_s
    if not covering:
        if ended_s - _shown_s(box, first) > LOST_S + 1.0 or lost:
            why = f"it was told as lost: {lost[0]}" if lost else "nobody told"
            findings.complain(f"{box.id}: walk {walk} has an episode and no clip, and {why}")
        return
    pictures = {number for clip in covering for number in clip.numbers}
    began = _picture_at(box, life.began_s + READY_S)
    if min(pictures) > max(first - round((PRE_ROLL_S - NOTICED_S) * FPS), began):
        findings.complain(f"{box.id}: the clip of walk {walk} begins {min(pictures) - first} pictures from its start")
    wanted = last + round(POST_ROLL_S * FPS)
    reached = _picture_at(box, ended_s)
    short_s = (min(wanted, reached) - max(pictures)) / FPS
    cut = reached - LOST_S * FPS < wanted  # the life ended so soon that it may have cost the end
    if cut:
        findings.worst_tail_s = max(findings.worst_tail_s, (reached - max(pictures)) / FPS if short_s > 0 else 0.0)
    if max(pictures) < min(wanted, reached - LOST_S * FPS) - 0.3 * FPS:
        findings.complain(f"{box.id}: the clip of walk {walk} ends {short_s:.1f} s early")


def _episode_starts(database: sqlite3.Connection, box: Box) -> dict[str, float]:
    """By episode, its start on CLOCK_BOOTTIME: what the wall said then does not matter."""
    rows = database.execute(
        "SELECT wall_ms, mono_ms, body FROM events WHERE box = ? AND type = 'episode_started'", (box.id,)
    )
    found = {}
    for row in rows:
        body = json.loads(row["body"])
        found[body["episode"]] = (row["mono_ms"] - (row["wall_ms"] - body["start_ms"])) / 1000
    return found


def _shown_s(box: Box, picture: int) -> float:
    return box.camera_began_ms / 1000 + picture / FPS


def _picture_at(box: Box, boottime_s: float) -> int:
    return int((boottime_s - box.camera_began_ms / 1000) * FPS)


def _watching(box: Box, first_s: float) -> Life | None:
    """The life of the agent that saw the walk's beginning and lived long enough to number it."""
    shown = [_shown_s(box, int(number)) for number in box.shown.read_text(encoding="ascii").split()]
    for life in box.agent.lives:
        if life.ended_s is None or life.began_s + READY_S >= first_s or first_s + SURE_S >= life.watched_until_s:
            continue
        if any(life.began_s < at and at + SEEN_S < first_s for at in shown):
            return life
    return None


def _held(findings: Findings, database: sqlite3.Connection, world: World, data: Path) -> None:
    """What was put under legal hold is here, whole (`_clips` has compared its hash)."""
    findings.held = len(world.held)
    for clip in world.held:
        row = database.execute("SELECT state, path, held FROM clips WHERE id = ?", (clip,)).fetchone()
        if row is None or row["state"] != "stored" or not row["held"] or not (data / row["path"]).exists():
            findings.complain(f"clip {clip} was put under legal hold and is gone, or held no more")
        else:
            findings.held_kept += 1


def _orphans(findings: Findings, database: sqlite3.Connection, world: World, data: Path) -> None:
    rows = {row[0] for row in database.execute("SELECT path FROM clips WHERE state = 'stored'")}
    rows |= {row[0] for row in database.execute("SELECT path FROM snapshots")}
    for folder in ("clips", "snapshots", "uploads"):
        for path in (data / folder).rglob("*"):
            if path.is_file() and str(path.relative_to(data)) not in rows:
                findings.orphans += 1
                findings.complain(f"server: {path.relative_to(data)} belongs to no row")
    for box in world.boxes:
        folder = box.disk.folder / "data"
        with closing(sqlite3.connect(folder / "outbox.sqlite")) as outbox:
            known = {row[0] for row in outbox.execute("SELECT file FROM clip")}
        for path in (folder / "clips").rglob("*"):
            if path.is_file() and str(path.relative_to(folder)) not in known:
                findings.orphans += 1
                findings.complain(f"{box.id}: {path.name} belongs to no row")


def _alerts(findings: Findings, database: sqlite3.Connection, told: list[str]) -> None:
    rows = database.execute("SELECT incident, sent_ms FROM alerts WHERE channel = 'hook'").fetchall()
    findings.alerts = len(rows)
    heard = Counter(told)
    for row in rows:
        if row["sent_ms"] is None:
            findings.complain(f"the alert of incident {row['incident']} was never sent")
        elif row["incident"] is not None and not heard[row["incident"]]:
            findings.complain(f"the alert of incident {row['incident']} is marked as sent and never came")
    findings.alerts_told = len(told)
    findings.alerts_repeated = max(0, len(told) - len(rows))


def _reported(findings: Findings, world: World) -> None:
    """What the programs say of themselves: what is missing, and fsck on both sides."""
    actual = 0
    with closing(sqlite3.connect(world.server_disk.folder / "data" / "collector.sqlite")) as database:
        for box in world.boxes:
            by_outbox: dict[str, set[int]] = {}
            for outbox, seq in database.execute("SELECT outbox, seq FROM events WHERE box = ?", (box.id,)):
                by_outbox.setdefault(outbox, set()).add(seq)
            newest = {outbox: max(numbers) for outbox, numbers in by_outbox.items()}
            for (body,) in database.execute("SELECT body FROM heartbeat_history WHERE box = ?", (box.id,)):
                told = json.loads(body)["outbox"]
                newest[told["outbox"]] = max(newest.get(told["outbox"], 0), told["last_seq"])
            actual += sum(last - len(by_outbox.get(outbox, ())) for outbox, last in newest.items())
    findings.holes_actual = actual
    reports = [json.loads(line) for line in world.command("gaps", "--json", check=False).stdout.splitlines()]
    findings.holes_reported = sum(report["events"]["hole"] for report in reports)
    if findings.holes_reported != actual:
        findings.complain(f"{findings.holes_reported} missing numbers are reported, {actual} are missing")
    for report in reports:
        elsewhere = {key: report["events"][key] + report["clips"][key] for key in ("on_box", "on_its_way")}
        if any(elsewhere.values()):
            findings.complain(f"{report['box']}: nothing waits there any more, and is reported: {elsewhere}")
    if len(reports) != len(world.boxes):
        findings.complain(f"`collector gaps` speaks of {len(reports)} boxes of {len(world.boxes)}")
    done = world.command("fsck", "--deep", check=False)
    if done.returncode:
        findings.fsck += 1
        findings.complain(f"collector fsck: {done.stdout.strip()}{done.stderr.strip()}"[:600])
    for box in world.boxes:
        told = world.box_command(box, "fsck")
        if told.returncode:
            findings.fsck += 1
            findings.complain(f"{box.id} fsck: {told.stdout.strip()}{told.stderr.strip()}"[:600])
