"""What is under way: waits, overdue numbers, and receipts for any range."""

import random

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.ledger import Ledger


def test_waits_double_up_to_the_cap_with_at_most_a_quarter_of_jitter() -> None:
    ledger = Ledger(random.Random(1), first_s=10, cap_s=60)
    for wait_s in (10, 20, 40, 60, 60):
        ledger.sent(7, 0)
        assert ledger.overdue(wait_s * 1000 - 1, 10) == []
        assert ledger.open_count() == 1
        assert ledger.overdue(wait_s * 1250, 10) == [7]
        assert ledger.open_count() == 0


def test_a_limit_leaves_the_rest_overdue_and_out_of_the_window() -> None:
    ledger = Ledger(random.Random(1))
    for number in range(5):
        ledger.sent(number, 0)
    first = ledger.overdue(60_000, 2)
    assert len(first) == 2
    assert sorted(first + ledger.overdue(60_000, 10)) == [0, 1, 2, 3, 4]


@given(st.lists(st.integers(1, 50)), st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63))
def test_receipts_settle_exactly_their_range(numbers: list[int], first: int, last: int) -> None:
    ledger = Ledger(random.Random(1))
    for number in numbers:
        ledger.sent(number, 7)
    inside = {number for number in numbers if first <= number <= last}
    once = sum(numbers.count(number) == 1 for number in inside)
    assert sorted(ledger.settle(first, last), key=str) == [7] * once + [None] * (len(inside) - once)
    assert set(ledger.overdue(1e9, 1000)) == set(numbers) - inside
    assert ledger.next_due_ms() is None
