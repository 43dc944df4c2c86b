"""`python -m benchmarks.torture --rounds 200 --seed N [--minutes M]`: real programs, random faults, an outside audit.

Half of the rounds with the embedded broker, half with Mosquitto (`--broker` picks one). As root every fault is done by
the kernel in a namespace of its own (power cuts, full disks, lost packets, narrow links; apt-get install util-linux
nftables iproute2 e2fsprogs faketime); otherwise those are left out, and the table says so. The same seed plans the same
faults. Exit status 1 when anything was not as promised.
"""

import argparse
import ctypes
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.torture.audit import SERVER, Findings, audit
from benchmarks.torture.disks import TOOLS, kernel_is_ours
from benchmarks.torture.faults import heal, rules_of_the_kernel, run_round
from benchmarks.torture.hook import Hook
from benchmarks.torture.plan import Fault, faults_of_round
from benchmarks.torture.programs import World, boottime_s
from tests.support.brokers import mosquitto_path

ROUND_S = 7.0
DRAIN_S = 180.0
HOLD_EVERY = 5
"""Rounds between two clips that are put under legal hold."""
_ALONE = "VONGGAC_TORTURE_NAMESPACE"


def main() -> int:
    """Torture, audit, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=None, help="begin no round later than this")
    parser.add_argument("--boxes", type=int, default=2)
    parser.add_argument("--broker", choices=("both", "embedded", "mosquitto"), default="both")
    parser.add_argument("--kinds", default="", help="only faults and crash points named by one of these words (a,b,…)")
    parser.add_argument("--most", type=int, default=4, help="faults in a round; fewer leave the boxes time to look")
    parser.add_argument("--seconds", type=float, default=ROUND_S, help="of a round; longer ones leave boxes time too")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    given = parser.parse_args()
    if os.environ.get(_ALONE) != "1":
        if kernel_is_ours():
            return _in_a_namespace()
        _show(f"Without power cuts, full disks and lost packets: they need root and {', '.join(TOOLS)}.")
    brokers = ["embedded", "mosquitto"] if given.broker == "both" else [given.broker]
    if mosquitto_path() is None:
        brokers = ["embedded"]
    ends = time.monotonic() + given.minutes * 60 if given.minutes else None
    failed = False
    with rules_of_the_kernel(kernel_is_ours()):
        for index, broker in enumerate(brokers):
            rounds = given.rounds // len(brokers) + (index < given.rounds % len(brokers))
            until = None if ends is None else time.monotonic() + (ends - time.monotonic()) / (len(brokers) - index)
            failed |= _torture(broker, rounds, until, given)
    return int(failed)


def _in_a_namespace() -> int:
    """The same command with network, mounts and processes of its own: it hits nothing outside, and leaves nothing."""
    again = f'ip link set lo up && exec "{sys.executable}" -m benchmarks.torture "$@"'
    own = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = ["unshare", *own, "sh", "-c", again, "sh", *sys.argv[1:]]
    environment = {**os.environ, _ALONE: "1"}
    return subprocess.run(command, env=environment, check=False, preexec_fn=_end_with_parent).returncode


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: killed when whoever started us ends


def _torture(broker: str, rounds: int, until: float | None, given: argparse.Namespace) -> bool:
    place = Path(tempfile.mkdtemp(prefix="vonggac-torture-"))
    world = World(place, broker, given.boxes, random.Random(given.seed))
    hook = Hook(world.hook_port)
    done: list[Fault] = []
    full: dict[str, list[tuple[float, float]]] = {SERVER: [], **{box.id: [] for box in world.boxes}}
    kept = given.keep
    words = [word for word in given.kinds.split(",") if word]
    try:
        world.start()
        time.sleep(4.0)
        number = 0
        while number < rounds and (until is None or time.monotonic() < until):
            planned = faults_of_round(
                given.seed, number, given.boxes, kernel_is_ours(), given.seconds, words, given.most
            )
            began_s = boottime_s()
            now = run_round(world, planned, given.seconds)
            for fault in now:
                if "disk full" in fault.kind:
                    where = SERVER if "server" in fault.kind else world.boxes[fault.box].id
                    full[where].append((began_s, boottime_s()))
            done += now
            number += 1
            if number % HOLD_EVERY == 1:
                world.hold_a_clip()
            _show(f"{broker} round {number}/{rounds}: " + "; ".join(f"{f.kind} {f.detail}".strip() for f in now))
        heal(world)
        waits = _drain(world)
        world.end()
        findings = audit(world, hook.got, full)
        if waits:
            findings.complain(f"after {DRAIN_S:.0f} s without a fault something still waits: {waits}")
        print(table(broker, number, given, done, findings))
        kept = kept or bool(findings.wrong)
    finally:
        hook.close()
        world.remove(kept)
        if kept:
            print(f"what is left stands in {place}", file=sys.stderr)
    return bool(findings.wrong)


def _drain(world: World) -> str:
    """Wait until nothing waits on any box; what still does, if that takes too long."""
    ends = time.monotonic() + DRAIN_S
    waiting: dict[str, dict[str, int]] = {}
    quiet_since = None
    while time.monotonic() < ends:
        waiting = {box.id: world.waiting(box) for box in world.boxes}
        busy = any(one.get(key, 1) for one in waiting.values() for key in ("events", "snapshots", "clips"))
        quiet_since = None if busy else quiet_since or time.monotonic()
        if quiet_since is not None and time.monotonic() - quiet_since > 3.0:
            return ""
        time.sleep(0.5)
    return str(waiting)


def table(broker: str, rounds: int, given: argparse.Namespace, done: list[Fault], found: Findings) -> str:
    """What happened and what was lost, Markdown."""
    rows = [
        ("rounds", rounds),
        ("faults", len(done)),
        ("walks before the cameras, of them surely watched, found", f"{found.walks}, {found.due}, {found.found}"),
        ("events heard, stored", f"{found.events_heard}, {found.events_stored}"),
        ("duplicate rows", found.duplicate_rows),
        ("clips announced, stored, decoded to the last picture", _three(found)),
        ("clips flagged truncated; losses told", f"{found.clips_truncated}; {found.clips_told_lost}"),
        ("worst end of a clip lost to a crash", f"{found.worst_tail_s:.1f} s"),
        ("missing numbers, reported", f"{found.holes_actual}, {found.holes_reported}"),
        ("watched walks that went with a torn-out card, as is said there", found.on_torn_cards),
        ("their clips deleted again to make room on the server's full disk", found.made_room),
        ("their clips forced out, undelivered, by a full disk on the box, and told", found.forced_out),
        ("clips put under legal hold, still there", f"{found.held}, {found.held_kept}"),
        ("orphan files", found.orphans),
        ("fsck findings", found.fsck),
        ("alerts, told, repeated", f"{found.alerts}, {found.alerts_told}, {found.alerts_repeated}"),
        ("not as promised", len(found.wrong)),
    ]
    kinds = Counter(fault.kind for fault in done)
    lines = [
        f"### {broker}: seed {given.seed}, {datetime.now(UTC):%Y-%m-%d}, "
        + ("as root" if kernel_is_ours() else "not root"),
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        "Faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) + ".",
        *(f"- NOT AS PROMISED: {text}" for text in found.wrong),
        "",
    ]
    return "\n".join(lines)


def _three(found: Findings) -> str:
    return f"{found.clips_announced}, {found.clips_stored}, {found.clips_decoded}"


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    _end_with_parent()
    sys.exit(main())
