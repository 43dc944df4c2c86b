"""A box with another card: what the earlier card still owed is closed, and open again when it comes back."""

import dataclasses
from pathlib import Path
from typing import TypeVar

import pytest

from collector.ingest.intake import Arrived
from tests.support import messages as sample
from tests.support.collector import NOW_MS, Station, envelope, topic_of
from vonggac.wire import codec
from vonggac.wire import messages as m

NEW = "01890a5d-0000-7000-8000-00000000000b"
Kind = TypeVar("Kind", bound=m.Body)


def of_kind(kind: type[Kind]) -> Kind:
    return next(body for body in sample.BODIES if isinstance(body, kind))


STARTED, UPDATED, ENDED = of_kind(m.EpisodeStarted), of_kind(m.EpisodeUpdated), of_kind(m.EpisodeEnded)
CLIP, BEAT = of_kind(m.ClipReady), of_kind(m.Heartbeat)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path, sample.BOX)


def sent(body: m.Body, seq: int, outbox: str = sample.OUTBOX) -> Arrived:
    message = envelope(body, seq, outbox=outbox, id=f"{outbox[:-12]}{seq:04d}{outbox[-8:]}")
    return Arrived(topic_of(body), codec.encode(message), False, NOW_MS)


def beat(outbox: str, mono_ms: int, clips: int = 0) -> Arrived:
    """A heartbeat of a box in which `outbox` is."""
    body = dataclasses.replace(BEAT, outbox=dataclasses.replace(BEAT.outbox, outbox=outbox, clips=clips))
    message = dataclasses.replace(envelope(body), mono_ms=mono_ms)
    return Arrived(topic_of(body), codec.encode(message), False, NOW_MS + mono_ms)


def episode(station: Station) -> tuple[object, ...]:
    [row] = station.rows_of("SELECT last_ms, end_ms, reason FROM episodes")
    return row


def clip_state(station: Station) -> object:
    [row] = station.rows_of("SELECT state FROM clips")
    return row[0]


def test_the_same_card_closes_nothing(station: Station) -> None:
    station.intake.take([sent(STARTED, 1), sent(CLIP, 2), beat(sample.OUTBOX, 1_000_000)])
    assert episode(station) == (STARTED.start_ms, None, None)
    assert clip_state(station) == "announced"


def test_another_card_ends_the_episode_where_it_was_last_heard_of_and_the_clip_is_left_behind(station: Station) -> None:
    station.intake.take([sent(STARTED, 1), sent(UPDATED, 2), sent(CLIP, 3), beat(NEW, 1_000_000)])
    assert episode(station) == (UPDATED.last_ms, UPDATED.last_ms, "left_behind")
    assert clip_state(station) == "left_behind"
    told = station.rows_of(
        "SELECT kind, count(*) FROM changes WHERE kind IN ('episode', 'clip') GROUP BY kind ORDER BY 1"
    )
    assert told == [("clip", 2), ("episode", 3)]


def test_what_a_broker_still_held_of_the_old_card_is_closed_with_the_next_heartbeat(station: Station) -> None:
    station.intake.take([beat(NEW, 1_000_000), sent(STARTED, 1), sent(CLIP, 2)])
    assert episode(station)[1] is None
    station.intake.take([beat(NEW, 1_030_000)])
    assert episode(station)[2] == "left_behind"
    assert clip_state(station) == "left_behind"


def test_the_old_card_comes_back_and_its_own_words_count(station: Station) -> None:
    station.intake.take([sent(STARTED, 1), sent(CLIP, 2), beat(NEW, 1_000_000), beat(sample.OUTBOX, 1_030_000)])
    assert episode(station) == (STARTED.start_ms, None, None)
    assert clip_state(station) == "announced"
    station.intake.take([sent(ENDED, 3)])
    assert episode(station) == (ENDED.end_ms, ENDED.end_ms, "quiet")


def test_a_true_end_replaces_ours_even_after_the_closing(station: Station) -> None:
    station.intake.take([sent(STARTED, 1), beat(NEW, 1_000_000), sent(ENDED, 2), beat(NEW, 1_030_000)])
    assert episode(station) == (ENDED.end_ms, ENDED.end_ms, "quiet")


def test_a_clip_that_the_new_outbox_announces_is_on_its_way(station: Station) -> None:
    """The database was set aside as damaged: the clips are still there, and go out under the new outbox."""
    station.intake.take([sent(CLIP, 2), beat(NEW, 1_000_000)])
    station.intake.take([sent(CLIP, 1, NEW), beat(NEW, 1_030_000)])
    assert clip_state(station) == "announced"


def test_while_clips_wait_on_the_box_none_is_left_behind(station: Station) -> None:
    """A damaged outbox that was read into a new one: its clips still come, under their old announcements."""
    station.intake.take([sent(CLIP, 2), beat(NEW, 1_000_000, clips=1)])
    assert clip_state(station) == "announced"
    station.intake.take([beat(NEW, 1_030_000, clips=0)])
    assert clip_state(station) == "left_behind"


def test_the_new_cards_own_episode_goes_on(station: Station) -> None:
    station.intake.take([sent(STARTED, 1, NEW), sent(CLIP, 2, NEW), beat(NEW, 1_000_000)])
    assert episode(station)[1:] == (None, None)
    assert clip_state(station) == "announced"
