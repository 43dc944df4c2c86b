"""The torture's plan comes from the seed alone, and its breaks still fit the code."""

import shutil
from pathlib import Path

import pytest

from benchmarks.torture.breaks import BREAKS, Break, apply
from benchmarks.torture.plan import ROOTED, faults_of_round


def test_a_seed_plans_the_same_faults_again() -> None:
    rounds = [[faults_of_round(7, number, 2, True, 7.0) for number in range(20)] for _ in range(2)]
    assert rounds[0] == rounds[1]
    assert rounds[0] != [faults_of_round(8, number, 2, True, 7.0) for number in range(20)]
    assert all(2 <= len(faults) <= 4 for faults in rounds[0])


def test_words_choose_kinds_and_points() -> None:
    found = [
        fault for number in range(30) for fault in faults_of_round(1, number, 2, True, 7.0, ["alert.", "link cut"])
    ]
    assert {fault.kind for fault in found} == {"link cut", "collector killed at a point"}
    assert all(fault.detail.startswith("alert.") for fault in found if fault.detail)


def test_a_word_that_names_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault's name holds any of earthquake"):
        faults_of_round(1, 0, 2, True, 7.0, ["earthquake"])


def test_without_root_no_fault_needs_the_kernel() -> None:
    kinds = {fault.kind for number in range(200) for fault in faults_of_round(1, number, 2, False, 7.0)}
    assert kinds
    assert not kinds & set(ROOTED)


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.story)
def test_every_break_still_fits_the_code(one: Break, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    for edit in one.edits:
        copy = tmp_path / edit.file
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / edit.file, copy)
        apply(tmp_path, edit)
        compile(copy.read_text(encoding="utf-8"), edit.file, "exec")


def test_every_invariant_is_broken_at_least_once() -> None:
    assert {one.invariant for one in BREAKS} == {*range(1, 8)}
