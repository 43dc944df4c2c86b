"""A new box, step by step."""

import pytest

from collector.fleet.arrival import Arrived, Step, steps_done, steps_of

STEPS = steps_of(["gate", "yard"])
ENROLLED, BEAT, GATE, YARD, ACCEPTED = STEPS


def test_the_steps_stand_in_their_order() -> None:
    assert [
        Step("enrolled"),
        Step("heartbeat"),
        Step("picture", "gate"),
        Step("picture", "yard"),
        Step("accepted"),
    ] == STEPS


@pytest.mark.parametrize(
    ("heard", "done"),
    [
        (Arrived(None, None), []),
        (Arrived(None, 50, frozenset({"gate", "yard"})), []),  # the machine that was replaced
        (Arrived(100, 50, frozenset({"gate", "yard"})), [ENROLLED]),  # its last heartbeat is no word of the new one
        (Arrived(100, 150), [ENROLLED, BEAT]),
        (Arrived(100, 150, frozenset({"yard"})), [ENROLLED, BEAT, YARD]),
        (Arrived(100, 150, frozenset({"gate", "yard"}), ("box-1 degraded clock",)), [ENROLLED, BEAT, GATE, YARD]),
        (Arrived(100, 150, frozenset({"gate", "yard"})), STEPS),
    ],
)
def test_a_step_is_done_when_it_was_heard(heard: Arrived, done: list[Step]) -> None:
    assert steps_done(STEPS, heard) == done


def test_a_box_without_cameras_is_accepted_by_its_heartbeat() -> None:
    assert [step.kind for step in steps_done(steps_of([]), Arrived(1, 2))] == ["enrolled", "heartbeat", "accepted"]
