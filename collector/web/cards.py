"""An incident as the feed shows it: one picture, one line of figures, what its clip is doing. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from collector.store.desk import Incident, zones_of
from collector.web.formats import Formats
from collector.web.shapes import snapshot_url

ClipWord = Literal["stored", "announced", "later", "lost", "left_behind", "none"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the template needs; `clip_ms` is the length of all clips that are here."""

    incident: Incident
    camera: str
    picture: str | None
    clip: ClipWord
    clip_ms: int | None
    going_on: bool
    score: float | None
    kinds: tuple[str, ...]
    zones: tuple[str, ...]


@dataclass(frozen=True)
class Day:
    """The incidents of one local day, newest first."""

    key: str
    title: str
    cards: tuple[Card, ...]


def card_of(incident: Incident) -> Card:
    """The card of an incident. Its picture is that of the most certain episode that has one."""
    members = incident.episodes
    pictured = [episode for episode in members if episode.snapshot is not None]
    best = max(pictured, key=lambda episode: episode.score, default=None)
    clips = [clip for episode in members for clip in episode.clips]
    lengths = [clip.duration_ms for clip in clips if clip.state == "stored" and clip.duration_ms is not None]
    going_on = any(episode.end_ms is None for episode in members)
    return Card(
        incident=incident,
        camera=incident.camera.partition("/")[2],
        picture=None if best is None else snapshot_url(best),
        clip=_clip_word({clip.state for clip in clips}, going_on),
        clip_ms=sum(lengths) if lengths else None,
        going_on=going_on,
        score=max((episode.score for episode in members), default=None),
        kinds=tuple(dict.fromkeys(episode.kind for episode in members)),
        zones=zones_of(members),
    )


def days_of(incidents: Iterable[Incident], formats: Formats, now_ms: int) -> list[Day]:
    """The feed by local day."""
    days = []
    for key, members in groupby(incidents, key=lambda incident: formats.day(incident.start_ms)):
        cards = tuple(card_of(incident) for incident in members)
        days.append(Day(key, formats.day_in_words(cards[0].incident.start_ms, now_ms), cards))
    return days


def _clip_word(states: set[str], going_on: bool) -> ClipWord:
    if "stored" in states:
        return "stored"
    if "announced" in states:
        return "announced"
    if going_on:
        return "later"
    if "lost" in states:
        return "lost"
    return "left_behind" if "left_behind" in states else "none"
