"""The soak's table and verdict."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.soak.samples import DISK, OF_A_PROCESS, WAITING, Figure, Trend, trend


@dataclass(frozen=True)
class Count:
    """What the box made and the collector has at the end."""

    made: int
    stored: int
    missing: int
    still_waiting: int
    clips: dict[str, int]
    agent_code: int
    errors: int


def watched() -> list[tuple[str, Figure]]:
    """Column and tolerance of everything that must not grow."""
    columns = [
        (f"{name} {figure.name}", figure) for name in ("agent", "collector", "broker") for figure in OF_A_PROCESS
    ]
    columns += [(f"{side} {DISK.name}", DISK) for side in ("box", "server")]
    return [*columns, (WAITING.name, WAITING)]


def trends(rows: list[dict[str, float]], warm_up_s: float) -> dict[str, tuple[Figure, Trend]]:
    """Each watched column after the warm-up."""
    found = {}
    for column, figure in watched():
        points = [(row["seconds"], row[column]) for row in rows if column in row and row["seconds"] >= warm_up_s]
        if points:
            found[column] = (figure, trend(points, figure))
    return found


def render(
    command: str,
    rows: list[dict[str, float]],
    warm_up_s: float,
    faults: dict[str, int],
    count: Count,
    codes: dict[str, int],
    fsck: list[str],
) -> tuple[str, bool]:
    """Markdown, and whether nothing grew and nothing was lost."""
    found = trends(rows, warm_up_s)
    grows = [column for column, (_, each) in found.items() if each.grows]
    whole = count.missing == 0 and count.stored + count.still_waiting == count.made
    ended_well = not any(codes.values())
    lines = [
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores; {len(rows)} samples over "
        f"{rows[-1]['seconds'] / 60:.0f} minutes, the first {warm_up_s / 60:.0f} left out",
        "",
        "| | first quarter, median | last quarter, median | slope an hour (Theil–Sen) | … of the second half "
        "| tolerated | |",
        "|---|---|---|---|---|---|---|",
    ]
    for column, (figure, each) in found.items():
        lines.append(
            f"| {column} | {each.first:.1f} {figure.unit} | {each.last:.1f} {figure.unit} | {each.per_hour:+.2f} "
            f"| {each.late_per_hour:+.2f} | {figure.per_hour:g} | {'**grows**' if each.grows else 'flat'} |"
        )
    wrote = rows[-1].get("agent written (MiB)", 0.0) - rows[0].get("agent written (MiB)", 0.0)
    lines += [
        "",
        f"Faults: {sum(faults.values())} ({', '.join(f'{name} {number}' for name, number in sorted(faults.items()))}).",
        f"Events: {count.made} made, {count.stored} stored, {count.still_waiting} still waiting on the box, "
        f"{count.missing} missing. Clips at the collector: "
        f"{', '.join(f'{number} {state}' for state, number in sorted(count.clips.items()))}.",
        f"The agent wrote {wrote:.1f} MiB. Exit codes: "
        f"{', '.join(f'{name} {code}' for name, code in codes.items())}; errors in the agent's log: {count.errors}; "
        f"fsck: {' '.join(fsck) or 'nothing to say'}.",
        f"Verdict: {'GROWS: ' + ', '.join(grows) if grows else 'nothing grows'}; "
        f"{'nothing lost' if whole else 'EVENTS LOST'}.",
    ]
    return "\n".join(lines), not grows and whole and ended_well
