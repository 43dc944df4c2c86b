"""Hours without a link in short: the box keeps and drops what the policy says. In full: python -m benchmarks.outage."""

from dataclasses import replace
from pathlib import Path

from benchmarks.outage.box import schedule
from benchmarks.outage.days import compare, run


def test_a_box_without_a_link_keeps_and_drops_what_the_policy_says_over_restart_and_power_cuts(tmp_path: Path) -> None:
    outcome = run(tmp_path, hours=4, seed=3, budget_bytes=600_000, power_cuts=1)
    assert outcome.differences == []
    assert outcome.offline == 120
    assert outcome.lost_clips.keys() == {0, 1}
    assert outcome.events == 3 * 120 + outcome.lost_clips.total()


def test_where_nothing_else_is_left_snapshots_go_and_events_stay(tmp_path: Path) -> None:
    outcome = run(tmp_path, hours=2, seed=4, budget_bytes=9_000, power_cuts=0)
    assert outcome.differences == []
    assert outcome.lost_snapshots > 0
    assert outcome.kept.total() == 0


def test_the_comparison_notices_a_box_that_keeps_to_another_policy(tmp_path: Path) -> None:
    run(tmp_path, hours=2, seed=5, budget_bytes=400_000, power_cuts=0)
    told_otherwise = [replace(episode, clip_class=2 - episode.clip_class) for episode in schedule(2, 5)]
    found = {difference.split(":")[0] for difference in compare(tmp_path, told_otherwise, 400_000).differences}
    assert {"clips", "clip files", "events in order", "order of sending"} <= found
