"""How long a login must wait after failures. Pure.

Counted by name and by address. The first tries are free, then each failure doubles the wait up to a quarter of an
hour: short enough that nobody is locked out for a shift, long enough that guessing is hopeless. The store forgets after
an hour.
"""

from collector.store.users import Failures

FREE_BY_NAME = 5
FREE_BY_ADDRESS = 20  # a whole post may share one address
LONGEST_S = 900


def wait_s(failures: Failures, free: int, now_ms: int) -> int:
    """Whole seconds until the next try is heard; 0 when now.

    >>> wait_s(Failures(5, 1_000), 5, 1_500)
    2
    """
    if failures.count < free:
        return 0
    pause_s = min(LONGEST_S, 1 << min(failures.count - free + 1, 20))
    return max(0, -(-(failures.last_ms + pause_s * 1000 - now_ms) // 1000))
