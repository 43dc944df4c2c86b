"""Any order of puts, receipts (right, doubled, foreign), deletions and crashes: no hole, nothing lost."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.outbox.fsck import check_outbox
from edge_agent.outbox.outbox import Outbox
from tests.support.clock import FakeClock
from tests.support.outbox_items import BOX, an_id, camera_event, clip_file
from vonggac.wire.codec import decode
from vonggac.wire.messages import Receipt

numbers = st.integers(-3, 40)


class OutboxModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.waiting: set[int] = set()
        self.last = 0
        self.clips: dict[str, str] = {}
        self.clip_number = 0

    @initialize()
    def open(self) -> None:
        self.outbox = Outbox(self.folder, self.clock, BOX)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
        shutil.rmtree(self.folder)

    def took(self, count: int = 1) -> None:
        self.waiting |= set(range(self.last + 1, self.last + count + 1))
        self.last += count

    @rule(count=st.integers(1, 4))
    def put(self, count: int) -> None:
        seqs = [e.seq for e in self.outbox.put_events([camera_event(n) for n in range(count)])]
        assert seqs == list(range(self.last + 1, self.last + count + 1))
        self.took(count)

    @rule()
    def put_clip(self) -> None:
        self.clip_number += 1
        body, path = clip_file(self.folder, self.clip_number, 100)
        self.outbox.put_clip(body, path)
        self.clips[body.clip] = body.sha256
        self.took()

    @rule(ranges=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=3))
    def receive(self, ranges: list[tuple[int, int]]) -> None:
        self.outbox.receipt(Receipt(outbox=self.outbox.id, ranges=tuple(ranges)))
        if max(last for _, last in ranges) <= self.last:
            for first, last in ranges:
                self.waiting -= set(range(first, last + 1))

    @rule(ranges=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=2))
    def receive_foreign(self, ranges: list[tuple[int, int]]) -> None:
        self.outbox.receipt(Receipt(outbox=an_id(99), ranges=tuple(ranges)))

    @rule(which=st.integers(0, 5))
    def deliver_clip(self, which: int) -> None:
        if which < len(self.clips):
            clip = sorted(self.clips)[which]
            self.outbox.receipt(Receipt(clips=(self.clips[clip],)))

    @rule(which=st.integers(0, 5))
    def forget_clip(self, which: int) -> None:
        if which < len(self.clips):
            clip = sorted(self.clips)[which]
            delivered = {kept.clip for kept in self.outbox.kept_clips() if kept.state == "delivered"}
            self.outbox.forget_clips([clip], "full")
            del self.clips[clip]
            if clip not in delivered:
                self.took()

    @rule()
    def crash_and_open(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.folder, self.clock, BOX)

    @rule(ms=st.integers(-10_000_000, 10_000_000))
    def step_the_clock(self, ms: int) -> None:
        self.clock.step_wall(ms)

    @invariant()
    def what_waits_is_what_was_put_and_not_receipted(self) -> None:
        if hasattr(self, "outbox"):
            events = self.outbox.next_events(10_000)
            assert [event.seq for event in events] == sorted(self.waiting)
            assert all(decode(event.message).seq == event.seq for event in events)
            assert self.outbox.last_seq() == self.last
            assert {kept.clip for kept in self.outbox.kept_clips()} == set(self.clips)

    @invariant()
    def fsck_finds_nothing(self) -> None:
        if hasattr(self, "outbox"):
            assert check_outbox(self.folder, deep=True, clock=self.clock) == []


OutboxModel.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOutboxModel = OutboxModel.TestCase
