"""`python -m benchmarks.torture.breaks`: does the torture notice when a promise is broken on purpose?

For every break the project is copied, a line of the copy is made wrong, and the torture runs there with the faults that
should bring it to light. Exit status 1 when one of them is not noticed. About a minute each; `--only WORD` picks some.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parents[2]
_FOLDERS = ("vonggac", "edge_agent", "collector", "benchmarks", "tests", "deploy")


@dataclass(frozen=True)
class Edit:
    """In `file`, `old` stands exactly once and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Break:
    """A promise (its number in docs/design/architecture.md), how it is broken, the faults that bring it to light, and
    words of the complaint that speaks of it: another complaint does not count.
    """

    invariant: int
    story: str
    kinds: str
    shown: tuple[str, ...]
    edits: tuple[Edit, ...]
    rounds: int = 4
    seconds: float = 7.0
    seed: int = 1
    most: int = 4


BREAKS = (
    Break(
        1,
        "numbers are given before they are on the disk",
        "box power cut",
        ("more than one row", "given to", "another message", "does not know it gave"),
        (
            Edit(
                "edge_agent/outbox/store.py",
                "        with self.writing() as connection:\n            done = work(connection)",
                '        self.connection.execute("PRAGMA synchronous = OFF")\n'
                "        with self.writing() as connection:\n            done = work(connection)",
            ),
        ),
    ),
    Break(
        1,
        "a number is skipped now and then",
        "link cut",
        ("were given and are not stored",),
        (
            Edit(
                "edge_agent/outbox/store.py",
                '"UPDATE outbox SET last_seq = last_seq + 1"',
                '"UPDATE outbox SET last_seq = last_seq + 1 + (last_seq % 5 = 4)"',
            ),
        ),
    ),
    Break(
        2,
        "what was sent is taken for received",
        "link half-open",
        ("are not stored", "has no episode"),
        (
            Edit(
                "edge_agent/uplink/uplink.py",
                "                self._events.sent(event.seq, now_ms)\n                self.counters.published += 1",
                "                self._events.sent(event.seq, now_ms)\n"
                "                from vonggac.wire.messages import Receipt as Word\n"
                "                self._outbox.receipt(Word(outbox=self._outbox.id, ranges=((event.seq,) * 2,)))\n"
                "                self.counters.published += 1",
            ),
        ),
        rounds=6,
    ),
    Break(
        2,
        "receipts go out for what is not on the server's disk",
        "server power cut",
        ("receipts went out", "are not stored"),
        (
            Edit(
                "collector/store/database.py",
                "        apply_pragmas(connection, durable=True)",
                "        apply_pragmas(connection, durable=True)\n"
                '        connection.execute("PRAGMA synchronous = OFF")',
            ),
        ),
    ),
    Break(
        3,
        "a clip gets its receipt before its file is on the server's disk",
        "server power cut",
        ("another hash", "is not there", "does not hold"),
        (
            Edit("collector/ingest/clip_store.py", "        os.fsync(file.fileno())\n", ""),
            Edit(
                "collector/ingest/clip_store.py",
                "                rename_durably(part, target)",
                "                part.replace(target)",
            ),
            Edit("collector/ingest/clip_store.py", "            sync_folders(target.parent, self._data)\n", ""),
        ),
        rounds=8,
        most=1,
    ),
    Break(
        3,
        "the parts of a clip are not synced on the box",
        "box power cut",
        ("s early", "and no clip"),
        (
            Edit(
                "edge_agent/recording/clip.py",
                "if self._dirty and time.monotonic() - self._synced_at >= _SYNC_EVERY_S:",
                "if self._dirty and time.monotonic() < 0:",
            ),
        ),
        rounds=10,
        seconds=20.0,
        most=1,
    ),
    Break(
        3,
        "a clip that the disk budget forced out is not told",
        "link cut",
        ("nobody told",),
        (
            Edit("benchmarks/torture/programs.py", "disk: {budget: 40MiB,", "disk: {budget: 65536,"),
            Edit(
                "edge_agent/outbox/outbox.py",
                '                if row["state"] != "delivered":',
                "                if False:",
            ),
        ),
        rounds=8,
    ),
    Break(
        4,
        "a message that comes again counts as new",
        "events doubled,link half-open",
        ("more than one row",),
        (
            Edit(
                "collector/store/ledger.py",
                '        "message_id": envelope.id,',
                '        "message_id": envelope.id[:-4] + __import__("secrets").token_hex(2),',
            ),
        ),
    ),
    Break(
        4,
        "the bytes of an upload stay behind when its clip is stored",
        "link cut",
        ("belongs to no row",),
        (
            Edit(
                "collector/ingest/clip_store.py",
                "                rename_durably(part, target)",
                '                __import__("shutil").copy(part, target)',
            ),
        ),
    ),
    Break(
        5,
        "an alert is marked before it is sent",
        "alert.",
        ("never came",),
        (
            Edit(
                "collector/alerts/delivery.py",
                '        reach("alert.claimed")',
                "        self._mark(lambda c: store.mark_sent(c, alert.id, self._worker, now_ms))\n"
                '        reach("alert.claimed")',
            ),
        ),
        rounds=10,
        most=2,
    ),
    Break(
        5,
        "what a dead run had claimed is not sent again",
        "alert.",
        ("never sent",),
        (
            Edit(
                "collector/alerts/delivery.py",
                "            released = store.release_claims(connection, self._channel.name, now_ms)",
                "            released = 0",
            ),
            Edit("collector/alerts/delivery.py", "round(self._patience.claim_stale_s * 1000)", "10**15"),
        ),
        rounds=10,
        most=2,
    ),
    Break(
        6,
        "retention deletes what is under legal hold",
        "server disk full",
        ("legal hold",),
        (
            Edit(
                "collector/store/clips.py",
                "select(*_CLIP).where(_stored(), ~clips.c.held)",
                "select(*_CLIP).where(_stored())",
            ),
            Edit(
                "collector/store/clips.py",
                ".where(clips.c.id == clip, _stored(), ~clips.c.held)",
                ".where(clips.c.id == clip, _stored())",
            ),
        ),
        rounds=6,
        seconds=40.0,
        most=2,
    ),
    Break(
        7,
        "missing numbers are not reported",
        "card torn out",
        ("missing numbers are reported",),
        (
            Edit(
                "collector/fleet/completeness.py",
                "        yield Missing(outbox, first, last, Where.ON_ITS_WAY if word is None else Where.HOLE)\n",
                "",
            ),
        ),
        rounds=6,
    ),
    Break(
        7,
        "an episode that a crash cut off is never ended",
        "agent killed,box power cut",
        ("never ended",),
        (Edit("edge_agent/handover.py", "        if ends:\n", "        if ends and not ends:\n"),),
        rounds=8,
        most=2,
    ),
    Break(
        7,
        "clips that a crash left half-written are not brought back",
        "agent killed,box power cut",
        ("and no clip", "belongs to no row"),
        (Edit("edge_agent/handover.py", "        torn = salvage(clips)\n", "        torn = adopt([])\n"),),
        rounds=8,
        seconds=20.0,
        most=1,
    ),
)


def main() -> int:
    """Try each break; print what was noticed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture.breaks", description=__doc__)
    parser.add_argument("--only", default="", help="only breaks whose story holds this")
    parser.add_argument("--broker", choices=("embedded", "mosquitto"), default="embedded")
    given = parser.parse_args()
    missed = 0
    print("| invariant | broken on purpose | faults | noticed by |\n|---|---|---|---|", flush=True)
    for one in BREAKS:
        if given.only in one.story:
            complaint = try_break(one, given.broker)
            missed += not complaint
            print(f"| {one.invariant} | {one.story} | {one.kinds} | {complaint or '**NOTHING**'} |", flush=True)
    return 1 if missed else 0


def try_break(one: Break, broker: str) -> str:
    """The first complaint of the torture about a copy with the break that speaks of it; "" when there is none."""
    with tempfile.TemporaryDirectory(prefix="vonggac-break-") as folder:
        copy = Path(folder)
        for name in _FOLDERS:
            shutil.copytree(_HERE / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for edit in one.edits:
            apply(copy, edit)
        command = [sys.executable, "-m", "benchmarks.torture", "--rounds", str(one.rounds), "--seed", str(one.seed)]
        command += ["--seconds", str(one.seconds)]
        done = subprocess.run(
            [*command, "--broker", broker, "--kinds", one.kinds, "--most", str(one.most)],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
    complaints = [line for line in done.stdout.splitlines() if line.startswith("- NOT AS PROMISED: ")]
    if done.returncode not in (0, 1) or (done.returncode == 1 and not complaints):
        raise SystemExit(f"the torture did not run: {done.stderr[-2000:]}")
    told = [line.removeprefix("- NOT AS PROMISED: ") for line in complaints if any(word in line for word in one.shown)]
    return told[0][:160].replace("|", "/") if told else ""


def apply(copy: Path, edit: Edit) -> None:
    """Make the edit. Raises SystemExit where the code has moved on, so that a trial never tries nothing."""
    path = copy / edit.file
    text = path.read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise SystemExit(
            f"{edit.file} holds {edit.old.strip()!r} {text.count(edit.old)} times, not once: mend the break"
        )
    path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
