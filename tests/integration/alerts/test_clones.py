"""A cloned identity is told once: heartbeats that alternate, or a certificate that was renewed and still comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.fleet.clones import LOOK_EVERY_MS, QUIET_MS, CloneWatch
from collector.fleet.telling import Telling
from collector.store import identities
from collector.store.identities import Certificate
from collector.store.schema import heartbeat_history
from tests.integration.alerts.desk import NOW, ZONE, Desk, Phone

TITLE = "Two machines say they are one box: Trường học"


class Watch:
    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.desk.add_camera("hop-1", "gate")
        self.now_ms = NOW
        telling = Telling((Phone("technician", language="en"),), ZONE)
        self.clones = CloneWatch(self.desk.database, telling)

    def hear(self, boots: str) -> None:
        """A heartbeat of each boot, ten seconds apart, and a look after each."""
        for boot in boots:
            self.now_ms += LOOK_EVERY_MS
            with self.desk.database.write() as connection:
                connection.execute(
                    heartbeat_history.insert().values(box="hop-1", received_ms=self.now_ms, boot_id=boot, body={})
                )
            self.clones.step(self.now_ms)

    def told(self) -> list[str]:
        return [title for title, _kind in self.desk.alerts("title", "kind")]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    yield made
    made.desk.database.close()


@pytest.mark.parametrize("boots", ["aaaa", "aabb", "abcdef", "aba", "abb"])
def test_a_box_that_starts_anew_or_a_late_message_is_no_clone(watch: Watch, boots: str) -> None:
    watch.hear(boots)
    assert watch.told() == []


def test_two_machines_that_alternate_are_told_once(watch: Watch) -> None:
    watch.hear("abababab")
    assert watch.told() == [TITLE]


def test_it_is_over_when_it_was_quiet_for_long_and_told_again_when_it_comes_again(watch: Watch) -> None:
    watch.hear("abab")
    watch.now_ms += QUIET_MS
    watch.hear("bb")
    assert watch.told() == [TITLE]
    watch.hear("abab")
    assert watch.told() == [TITLE, TITLE]


def test_a_certificate_that_was_renewed_and_still_comes_is_told(watch: Watch) -> None:
    old = Certificate(
        serial="0a", box="hop-1", key_hash="k", issued_ms=NOW, not_after_ms=NOW + 10**12, first_used_ms=NOW,
        revoked_ms=NOW, reason="superseded", pem="",
    )  # fmt: skip
    with watch.desk.database.write() as connection:
        identities.add_certificate(connection, old)
        identities.note_misuse(connection, "0a", NOW + 60_000)  # connections of the old one still end
    watch.clones.step(NOW + 60_000)
    assert watch.told() == []
    with watch.desk.database.write() as connection:
        identities.note_misuse(connection, "0a", NOW + 700_000)
    watch.clones.step(NOW + 700_000)
    assert watch.told() == [TITLE]
