"""More events go at once while receipts come soon; fewer when they begin to queue, however long the way is."""

from edge_agent.uplink.window import LARGEST, LONGEST_QUEUE_MS, SMALLEST, SendWindow


def after(*waits_ms: float) -> SendWindow:
    window = SendWindow()
    for wait_ms in waits_ms:
        window.heard(wait_ms, SMALLEST)
    return window


def test_it_grows_while_receipts_come_as_soon_as_ever() -> None:
    assert SendWindow().size == SMALLEST
    assert after(100, 120).size == 3 * SMALLEST
    assert after(*[100] * 40).size == LARGEST


def test_a_long_way_is_no_queue() -> None:
    assert after(*[4000] * 40).size == LARGEST


def test_it_halves_while_receipts_queue_and_never_closes() -> None:
    late = 100 + LONGEST_QUEUE_MS + 1
    assert after(100, 100, 100, late).size == 2 * SMALLEST
    assert after(100, *[late] * 20).size == SMALLEST


def test_another_connection_may_be_another_way() -> None:
    window = after(*[10] * 20)
    window.restart()
    assert window.size == SMALLEST
    window.heard(3000, SMALLEST)
    assert window.size == 2 * SMALLEST
