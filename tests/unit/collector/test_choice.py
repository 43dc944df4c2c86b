"""Which release a box should have: rings, the stop, boxes that took it back, nothing older."""

import pytest

from collector.releases.choice import Offer, wanted


def offers(*told: tuple[str, str | None, bool, int]) -> list[Offer]:
    return [
        Offer(version=version, ring=ring, stopped_ms=1 if stopped else None, returns=returns)
        for version, ring, stopped, returns in told
    ]


@pytest.mark.parametrize(
    ("told", "ring", "runs", "version"),
    [
        ([("1.1.0", "all", False, 0)], "all", "1.0.0", "1.1.0"),
        ([("1.1.0", None, False, 0)], "first", "1.0.0", None),
        ([("1.1.0", "first", False, 0)], "all", "1.0.0", None),
        ([("1.1.0", "first", False, 0)], "some", "1.0.0", None),
        ([("1.1.0", "first", False, 0)], "first", "1.0.0", "1.1.0"),
        ([("1.1.0", "some", False, 0)], "first", "1.0.0", "1.1.0"),
        ([("1.1.0", "all", True, 0)], "first", "1.0.0", None),
        ([("1.1.0", "all", False, 1)], "all", "1.0.0", "1.1.0"),
        ([("1.1.0", "all", False, 2)], "all", "1.0.0", None),
        ([("1.10.0", "all", False, 0), ("1.9.0", "all", False, 0)], "all", "1.0.0", "1.10.0"),
        ([("1.2.0", "all", True, 0), ("1.1.0", "all", False, 0)], "all", "1.0.0", "1.1.0"),
        ([("1.1.0", "all", False, 0)], "all", "1.1.0", None),
        ([("1.1.0", "all", False, 0)], "all", "2.0.0", None),
        ([("1.1.0", "all", False, 0)], "all", None, "1.1.0"),
        ([("1.1.0", "all", False, 0)], "all", "0.1.dev3", "1.1.0"),
        ([], "all", "1.0.0", None),
    ],
)
def test_what_a_box_is_offered(
    told: list[tuple[str, str | None, bool, int]], ring: str, runs: str | None, version: str | None
) -> None:
    assert wanted(offers(*told), ring, runs) == version
