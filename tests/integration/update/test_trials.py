"""Updates that go well, badly, or are cut off at every step: the box always ends on a release that works."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.office import Office
from tests.support.releases import LightBox, a_release, offer
from tests.support.system import wait_for
from vonggac.daemon.crash_points import POINTS

FORWARD = sorted(point for point in POINTS if point.startswith("update.") and not re.search("return|back", point))
BACK = ("update.returning", "update.returned", "update.back")
NEEDS_MEMORY = ("update.noted", "update.switched", "update.watching", "update.proven")
WITHIN_S = 10.0
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def one_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightBox]:
    """All trials are of one box, each with the next version: each leaves it working, or the next one fails."""
    folder = tmp_path_factory.mktemp("updates")
    office = Office(folder / "office")
    made = LightBox(office, folder / "box")
    made.boot()
    made.heard_once()
    made.update()
    yield made
    made.close()
    office.close()


@pytest.fixture
def box(one_box: LightBox) -> LightBox:
    assert soon(one_box, one_box.proven)
    return one_box


@pytest.fixture
def new(box: LightBox) -> str:
    return box.next_version()


@pytest.fixture
def old(box: LightBox) -> str:
    return box.proven


def soon(box: LightBox, version: str) -> bool:
    return wait_for(lambda: box.works(version), f"{version} to work", WITHIN_S, every_s=0.02)


def test_a_release_that_works_stays(box: LightBox, old: str, new: str, tmp_path: Path) -> None:
    offer(box.office, a_release(tmp_path, new))
    box.update()
    assert box.state["step"] == "done"
    assert soon(box, new)
    assert f"runs {new}, proven {new}; done {new}" in box.update("--status")


@pytest.mark.parametrize(
    ("kind", "step", "reason"),
    [
        ("dead", "refused", "does not start: exit code 1"),
        ("crash", "returned", "did not prove itself: no heartbeat of {new} has arrived"),
        pytest.param("silent", "returned", "did not prove itself: no heartbeat of {new} has arrived", marks=SLOW),
        ("blind", "returned", "did not prove itself: no picture of gate"),
    ],
)
def test_a_release_that_does_not_work_is_taken_back(
    box: LightBox, old: str, new: str, tmp_path: Path, kind: str, step: str, reason: str
) -> None:
    offer(box.office, a_release(tmp_path, new, kind))
    box.update()
    assert (box.state["step"], box.state["reason"]) == (step, reason.replace("{new}", new))
    assert soon(box, old)
    before = box.state
    box.update()
    assert box.state == before, "it is not tried again at once"


@pytest.mark.parametrize(
    ("point", "memory"),
    [(point, "kept") for point in FORWARD]
    + [pytest.param(point, "torn", marks=SLOW if point == "update.watching" else ()) for point in NEEDS_MEMORY],
)
def test_power_is_cut_while_a_good_release_comes(
    box: LightBox, old: str, new: str, tmp_path: Path, point: str, memory: str
) -> None:
    """At every step; with its memory the box still arrives, without it may stay, but it works either way."""
    offer(box.office, a_release(tmp_path, new))
    box.update(crash_at=point, expect=-9)
    box.cut_power()
    box.tear()
    if memory == "torn":
        box.forget()
    box.boot()
    box.update()
    assert soon(box, new if box.links()[1].endswith(new) else old), (box.links(), box.state)
    if memory == "kept":
        assert soon(box, new), box.state


@pytest.mark.parametrize(
    "point", ["update.switched", *(pytest.param(f"update.{at}", marks=SLOW) for at in ("restarted", "watching")), *BACK]
)
def test_power_is_cut_while_a_bad_release_is_tried_or_taken_back(
    box: LightBox, old: str, new: str, tmp_path: Path, point: str
) -> None:
    offer(box.office, a_release(tmp_path, new, "crash"))
    box.update(crash_at=point, expect=-9)
    box.cut_power()
    box.tear()
    box.boot()
    box.update()
    assert soon(box, old), (box.links(), box.state)
    assert box.state["step"] == "returned"


def test_a_release_that_cuts_the_power_itself_is_not_tried_for_ever(
    box: LightBox, old: str, new: str, tmp_path: Path
) -> None:
    offer(box.office, a_release(tmp_path, new, "blind"))
    for _time in range(2):
        box.update(crash_at="update.watching:3", expect=-9)
        box.cut_power()
        box.boot()
    box.update()
    assert soon(box, old)
    assert box.state["reason"] == "was interrupted 2 times during its probation"


def test_without_a_line_the_box_goes_back_and_tries_again_later(
    box: LightBox, old: str, new: str, tmp_path: Path
) -> None:
    """Its collector is gone during the probation: that says nothing about the release."""
    offer(box.office, a_release(tmp_path, new))
    box.update(crash_at="update.noted", expect=-9)
    (box.root / "current").unlink()
    (box.root / "current").symlink_to(f"releases/{new}")  # as the next step would have
    box.config.write_text(box.config.read_text().replace(box.office.url, "https://127.0.0.1:1"))
    box.update()
    assert soon(box, old)
    assert box.state["reason"] == "the collector could not be asked whether it works"
    box.config.write_text(box.config.read_text().replace("https://127.0.0.1:1", box.office.url))
    tried = list(box.state["tries"].values())[-1]
    assert tried["count"] == 0
    assert tried["again_ms"] is not None


def test_a_box_that_the_collector_turns_away_is_in_order_and_calls_no_sooner(box: LightBox, old: str) -> None:
    """Exit 0: systemd would call a pass that failed again after ten seconds, for ever."""
    said = ""
    box.config.write_text(box.config.read_text().replace(box.office.url, "https://127.0.0.1:1"))
    try:
        said = box.update()
    finally:
        box.config.write_text(box.config.read_text().replace("https://127.0.0.1:1", box.office.url))
    assert "Nothing done: https://127.0.0.1:1: cannot be reached" in said
    assert soon(box, old)
