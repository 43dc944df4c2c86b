"""The pages for officers: feed, incident."""

import json
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from collector.store import desk as rows
from collector.store.clips import Clip
from collector.store.desk import Episode, Wanted
from collector.store.overview import camera_names
from collector.store.reach import Place
from collector.store.wall import path_of
from collector.web.access import is_own_path
from collector.web.api import INCIDENT_STATES, episode_of, incident_of, query_of, take
from collector.web.cameras import beside
from collector.web.cards import card_of, days_of
from collector.web.desk import Asked, Desk
from collector.web.handling import colleagues
from collector.web.problems import not_found
from collector.web.query import cursor
from collector.web.render import render

ON_ONE_PAGE = 40
LEAD_MS = 2_500  # the clip opens this long before the trigger
LATE_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class Showing:
    """The episode that an incident's page shows, and its clip in milliseconds from the clip's first frame.

    The episode began `lead_ms` after that frame; `track` is where the thing was: JSON of [[t_ms, x, y], …] after it.
    """

    episode: Episode
    clip: Clip | None
    opens_ms: int = 0
    motion_from_ms: int = 0
    motion_to_ms: int = 0
    duration_ms: int = 0
    lead_ms: int = 0
    track: str | None = None

    @property
    def misses_ms(self) -> int:
        """So much of the motion's beginning is not in the clip; 0 where it is less than a second."""
        return -self.lead_ms if self.lead_ms <= -LATE_MS else 0


def home(desk: Desk, asked: Asked) -> Response:
    """The live feed; whoever may not see it goes to the boxes."""
    if not asked.who.may("see_incidents"):
        return RedirectResponse("/boxes", 303)
    query = query_of(asked, "state", "after")
    state = query.one_of("state", INCIDENT_STATES)
    wanted = Wanted(state=state, after=query.after(), limit=ON_ONE_PAGE, reach=asked.who.reach)
    with desk.database.read() as connection:
        found, more = rows.list_incidents(connection, wanted)
        has_boxes = bool(found) or bool(camera_names(connection, asked.who.reach, 1))
        waiting = rows.waiting_in(connection, asked.who.reach)
    return render(
        desk,
        asked,
        "feed.html",
        days=days_of(found, asked.formats, asked.now_ms),
        waiting=waiting,
        more=None if more is None else cursor(*more),
        state=state,
        has_boxes=has_boxes,
        is_first_page=wanted.after is None,
    )


def card(desk: Desk, asked: Asked) -> Response:
    """One incident as it stands in the feed: what the page asks for when an event arrives."""
    query_of(asked)
    return render(desk, asked, "card_alone.html", card=card_of(incident_of(desk, asked)))


def incident(desk: Desk, asked: Asked) -> Response:
    """One incident: clip, reason, episodes, acknowledgement, neighbours."""
    wanted = query_of(asked, "episode").text("episode")
    found = incident_of(desk, asked)
    chosen = next((episode for episode in found.episodes if episode.id == wanted), None)
    if wanted is not None and chosen is None:
        raise not_found("episode", wanted)
    chosen = chosen or next((each for each in found.episodes if _playable(each)), None)
    chosen = chosen or next(iter(found.episodes), None)
    with desk.database.read() as connection:
        showing = None if chosen is None else _showing(chosen, path_of(connection, chosen.id))
        others_then = [] if chosen is None else beside(connection, chosen, Place(found.commune, found.site))
        neighbours = rows.neighbours(connection, found, asked.who.reach)
        history = rows.incident_history_of(connection, found.id)
        others = colleagues(connection, found) if asked.who.may("acknowledge") else []
        waiting = rows.waiting_in(connection, asked.who.reach)
    return render(
        desk,
        asked,
        "incident.html",
        incident=found,
        showing=showing,
        beside=neighbours,
        others=others_then,
        history=history,
        incident_zones=rows.zones_of(found.episodes),
        colleagues=[name for name in others if name != found.owner],
        waiting=waiting,
    )


def episode(desk: Desk, asked: Asked) -> Response:
    """An episode that nobody was told of; any other stands on its incident's page."""
    found, place = episode_of(desk, asked)
    if found.incident is not None:
        return RedirectResponse(f"/incidents/{found.incident}?episode={found.id}", 303)
    with desk.database.read() as connection:
        showing = _showing(found, path_of(connection, found.id))
        others = beside(connection, found, place)
        waiting = rows.waiting_in(connection, asked.who.reach)
    return render(desk, asked, "episode.html", showing=showing, place=place, others=others, waiting=waiting)


def acknowledge(desk: Desk, asked: Asked) -> Response:
    """The acknowledge button without scripts: back to the page it stood on."""
    found = take(desk, asked)
    target = asked.form.get("next", "")
    return RedirectResponse(target if is_own_path(target) else f"/incidents/{found.id}", 303)


def _playable(episode: Episode) -> bool:
    return any(clip.state == "stored" for clip in episode.clips)


def _showing(episode: Episode, path: list[list[float]]) -> Showing:
    clip = next((each for each in episode.clips if each.state == "stored"), None) or next(iter(episode.clips), None)
    if clip is None or clip.first_frame_ms is None or not clip.duration_ms:
        return Showing(episode=episode, clip=clip)
    lead_ms = episode.start_ms - clip.first_frame_ms
    if episode.start_mono_ms is not None and clip.first_frame_mono_ms is not None and episode.boot_id == clip.boot_id:
        lead_ms = episode.start_mono_ms - clip.first_frame_mono_ms  # whatever the wall clock did in between
    begin_ms = min(max(0, lead_ms), clip.duration_ms)
    return Showing(
        episode=episode,
        clip=clip,
        opens_ms=max(0, begin_ms - LEAD_MS),
        motion_from_ms=begin_ms,
        motion_to_ms=min(max(begin_ms, lead_ms + episode.last_ms - episode.start_ms), clip.duration_ms),
        duration_ms=clip.duration_ms,
        lead_ms=lead_ms,
        track=json.dumps(path, separators=(",", ":")) if path else None,
    )
