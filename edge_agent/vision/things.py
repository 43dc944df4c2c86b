"""Follows what differs from the scene from frame to frame, and decides which of it is a thing that moves. Pure.

Rules: a thing proves itself by displacement over several frames; what stirs in place (leaves, a clock's digits, rain)
never does. How much is asked depends on how restless the place is: in a still one little, among leaves more than they
sway, again and again. A thing that stopped in a still place stays one while something of it still stirs.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

from edge_agent.vision.tracks import FORGET_S, Blob, Track
from edge_agent.vision.unrest import Unrest
from edge_agent.vision.weather import Weather

MAX_TRACKS = 48
JUST_S = 0.25
"""What was seen so long ago was seen in the frame before, also at 5 fps."""
LEAST_HITS = 3
"""Frames in which a thing must be seen; in a still scene at few frames a second one less."""
LEAST_AGE_S = 0.14
RESTLESS_AGE_S = 1.0
"""So long a thing must be seen, and longer where it is restless or much appears and vanishes: chance makes paths."""
LEAST_TRAVEL = 3.0
TRAVEL_SHARE = 0.1
RESTLESS_TRAVEL_SHARE = 0.6
"""Pixels, and shares of its own size, that a thing must travel: in a still place, and more in a restless one."""
STRAIGHT = 0.35
RESTLESS_STRAIGHT = 0.4
FASTEST, SMALL_FASTEST = 10.0, 5.0
"""Of their own lengths a second, how far bodies go: a runner 4, cars up to 8. Insects and flakes near the lens go
farther and are small; what is small because it is far away is drawn longer than it is, and seldom so quick."""
BRISK, BRISK_STRAIGHT = (1.0, 2.5), 0.85
"""Of its own lengths a second: who goes faster than the first goes straighter, at the second so straight. A person's
wavering is small beside their own length; insects before the lens turn at each beat of their wings."""
SUDDEN_S = 0.4
"""So much longer must be seen what comes up inside the picture and is brisk at once: bodies come in over an edge, or
slowly."""
WINDOW_S = 3.0
"""Displacement counts over at most so long."""
CRUMB = 0.1
"""Of its size: no body shrinks so far from one frame to the next."""
PROOF_LASTS_S = 1.5
"""In a restless place a thing must prove itself anew within this time to count as moving."""
ELSEWHERE = 0.5
"""What the rest of the scene says of a place that is itself still, against what the place does."""
SWERVES = 0.7
"""Of the way that it would have gone on, so far a thing may be from there when nobody looked meanwhile."""
COMING_BACK_S = 1.0
"""After that a thing has proved itself once more."""
PROVEN_FIRST = 0.3
"""Where two could be continued by the same patch, a proven thing is, unless it fits far worse."""
USUAL_STEP = 0.05
USUAL_ABOVE = 0.9
"""The size below which nine tenths of the patches are that proved nothing follows them by such steps."""
SMALL_SHARE = 0.003
"""Of the picture. In weather what is born smaller is taken for drops, and things must be larger than those."""
TEXTURED = 0.25
"""A thing of which a smaller share has another texture than the scene may be a light, for all that it moves."""
DOUBTED_S = 0.7
STIRRING_S = 2.0
STANDING_S = 8.0
"""A confirmed thing counts as moving so long after it last stirred: briefly where rather something has gone than come,
longest where it surely stands in the scene."""
LASTING_SHARE = 0.2
HELD_S = 15.0
"""So long a thing that is no longer seen is kept by what stirs where it stood."""
HIDDEN_S = 2.5
"""So long nothing is learned where a proven thing was seen last."""
FELT_S = 1.5
"""Who stands still stirs no less often than this."""


def _same_place(last: Blob, blob: Blob) -> bool:
    width = min(last.x1, blob.x1) - max(last.x0, blob.x0)
    height = min(last.y1, blob.y1) - max(last.y0, blob.y0)
    smaller = min((last.x1 - last.x0) * (last.y1 - last.y0), (blob.x1 - blob.x0) * (blob.y1 - blob.y0))
    return width > 0 and height > 0 and width * height >= 0.6 * smaller and 0.1 < blob.area / max(1, last.area) < 3.0


def _on_its_way(track: Track, blob: Blob, dt_s: float) -> float:
    """How well a blob fits a proven thing that went on as it did for so long, 0..1."""
    last = track.blob
    if not (track.confirmed and 0.25 < blob.area / max(1.0, last.area) < 4.0):
        return 0.0
    ahead_x, ahead_y = track.velocity[0] * dt_s, track.velocity[1] * dt_s
    length = max(last.x1 - last.x0, last.y1 - last.y0, blob.x1 - blob.x0, blob.y1 - blob.y0)
    allowed = length + SWERVES * math.hypot(ahead_x, ahead_y)
    return 1.0 - math.hypot(blob.cx - track.x - ahead_x, blob.cy - track.y - ahead_y) / allowed


def _continuations(track: Track, blobs: Sequence[Blob], dt_s: float, *, unwatched: bool) -> Iterator[tuple[float, int]]:
    """(score, index) of the blobs that may continue a track: above 1 where the boxes overlap, below by nearness.

    `unwatched`: nobody looked since it was seen, so that it may have gone on its way.
    """
    last = track.blob
    if dt_s > FORGET_S:
        for number, blob in enumerate(blobs):
            if _same_place(last, blob):
                yield 1.0, number
            elif unwatched and (score := _on_its_way(track, blob, dt_s)) > 0.0:
                yield score, number
        return
    dx, dy = track.velocity[0] * dt_s, track.velocity[1] * dt_s
    x0, y0, x1, y1 = last.x0 + dx, last.y0 + dy, last.x1 + dx, last.y1 + dy
    longest = max(last.x1 - last.x0, last.y1 - last.y0)
    for number, blob in enumerate(blobs):
        gap_x = blob.x0 - x1 if blob.x0 > x1 else x0 - blob.x1
        gap_y = blob.y0 - y1 if blob.y0 > y1 else y0 - blob.y1
        if gap_x < 0.0 and gap_y < 0.0:
            if blob.contour < 0.0 and blob.area < CRUMB * last.area:
                continue  # rather gone than there: what a body leaves behind, not the body
            shared = (min(x1, blob.x1) - max(x0, blob.x0)) * (min(y1, blob.y1) - max(y0, blob.y0))
            smaller = min((x1 - x0) * (y1 - y0), (blob.x1 - blob.x0) * (blob.y1 - blob.y0))
            larger = max((x1 - x0) * (y1 - y0), (blob.x1 - blob.x0) * (blob.y1 - blob.y0))
            yield 1.0 + 0.5 * shared / max(1.0, smaller) + 0.5 * shared / max(1.0, larger), number
            continue
        allowed = 4.0 + 0.5 * max(longest, blob.x1 - blob.x0, blob.y1 - blob.y0)
        if gap_x >= allowed or gap_y >= allowed or not 0.25 < blob.area / max(1.0, last.area) < 4.0:
            continue
        gap = math.hypot(max(0.0, gap_x), max(0.0, gap_y))
        if gap < allowed:
            yield 1.0 - gap / allowed, number


class Hidden(Protocol):
    """What is known of a place (rows, columns) where the scene could not be learned because something stood there."""

    def trembles(self, where: tuple[slice, slice]) -> bool:
        """Whether it changes there, more than anywhere."""

    def still_hidden(self, where: tuple[slice, slice]) -> bool:
        """Whether most of it looks as it did then."""


class Things:
    """The tracks of one camera at one working size."""

    def __init__(self, width: int, height: int, weather: Weather) -> None:
        self._width = width
        self._height = height
        self._weather = weather
        self.tracks: list[Track] = []
        self._crowd = 0
        self.litter_area = 0.0
        self._unknown = 1.0
        self._usual = math.log(20.0)
        self._born = 0
        self._begun = 0
        self._before_s = math.inf
        self._away_s = -math.inf

    def coming_back(self, now_s: float) -> bool:
        """Whether nobody looked at a proven thing until a moment ago: what stirs may be that, not yet known again."""
        return now_s - self._away_s < COMING_BACK_S

    def follow(self, blobs: Sequence[Blob], now_s: float, unrest: Unrest) -> None:
        """Continues, begins and drops tracks with one frame's blobs; `unrest` is where the scene is restless."""
        self._unknown = unrest.unknown
        if any(track.confirmed and self._unwatched(track, now_s) for track in self.tracks):
            self._away_s = now_s
        pairs = [
            (score + PROVEN_FIRST * track.confirmed, t, b)
            for t, track in enumerate(self.tracks)
            for score, b in _continuations(track, blobs, now_s - track.seen_s, unwatched=self._unwatched(track, now_s))
            if not (track.confirmed and self._may_be_litter(blobs[b]) and not self._lasts(track, blobs[b]))
        ]
        pairs.sort(reverse=True)
        used_tracks: set[int] = set()
        used_blobs: set[int] = set()
        self._crowd = sum(not track.confirmed and now_s - track.birth_s < 1.0 for track in self.tracks)
        for score, t, b in pairs:
            if t in used_tracks:
                continue
            if b in used_blobs:
                self.tracks[t].merged |= score > 1.4
                continue
            used_tracks.add(t)
            used_blobs.add(b)
            self._continue(self.tracks[t], blobs[b], now_s)
        heirs = {
            b
            for score, t, b in pairs
            if score > 1.3 + PROVEN_FIRST
            and b not in used_blobs
            and self.tracks[t].confirmed
            and self._wary(blobs[b], blobs[b].restless) < 0.5
        }
        self.tracks = [
            track
            for track in self.tracks
            if now_s - max(track.seen_s, track.held_s) <= track.kept_s(self._width, self._height)
        ]
        self._learn_usual()
        self._weigh_litter([blob for b, blob in enumerate(blobs) if b not in used_blobs and b not in heirs])
        for b, blob in enumerate(blobs):
            if b in used_blobs or len(self.tracks) >= MAX_TRACKS:
                continue
            box = (blob.x0, blob.y0, blob.x1, blob.y1)
            track = Track(blob, now_s, now_s, now_s, blob.cx, blob.cy, blob.cx, blob.cy, box, now_s)
            self._begun += 1
            track.restless, track.number = blob.restless, self._begun
            if self._weather.bad >= 1.0 and now_s - self._before_s <= JUST_S:
                track.shown_s = self._before_s  # only what differed in the frame before, too, is believed
            track.known = unrest.memory()
            if b in heirs:
                track.confirmed, track.proved_s = True, now_s
            self.tracks.append(track)
        self._before_s = now_s

    def _unwatched(self, track: Track, now_s: float) -> bool:
        """Whether it was seen in the picture before this one, and that is long ago."""
        return track.seen_s == self._before_s and now_s - track.seen_s > FORGET_S

    def _weigh_litter(self, born: Sequence[Blob]) -> None:
        for blob in born:
            if blob.area < SMALL_SHARE * self._width * self._height:
                self._born += 1
                self.litter_area += max(0.03, 1.0 / self._born) * (blob.area - self.litter_area)

    def _learn_usual(self) -> None:
        """How large what stirs without ever being a thing is: what is far larger is not explained by it."""
        for track in self.tracks:
            if not track.confirmed:
                above = math.log(track.blob.area) > self._usual
                self._usual += USUAL_STEP * (USUAL_ABOVE if above else USUAL_ABOVE - 1.0)

    def _wary(self, blob: Blob, restless: float, elsewhere: float | None = None) -> float:
        """How much more than in a still place it takes to prove a thing, 0..1."""
        elsewhere = blob.elsewhere if elsewhere is None else elsewhere
        times_usual = math.log(blob.area) - self._usual
        explained = min(1.0, max(0.0, (3.0 - times_usual) / 2.0))
        # Only where weather makes many patches is their size known; one screen or flag says nothing of another.
        return max(restless, ELSEWHERE * elsewhere, self._unknown) * (1.0 - self._weather.bad * (1.0 - explained))

    @staticmethod
    def _lasts(track: Track, blob: Blob) -> bool:
        """Whether a fair part of the smaller of both was there in the frame before: streaks and flakes are not."""
        return blob.differed >= LASTING_SHARE * min(blob.area, track.blob.area)

    def _continue(self, track: Track, blob: Blob, now_s: float) -> None:
        dt_s, pace = max(0.01, now_s - track.seen_s), (0.0, 0.0)
        if dt_s > FORGET_S:
            if self._unwatched(track, now_s):
                pace = (blob.cx - track.x) / dt_s, (blob.cy - track.y) / dt_s
                track.reach = max(track.reach, math.hypot(blob.cx - track.x, blob.cy - track.y))
            track.birth_s, track.shown_s = now_s, math.inf
            track.x, track.y = blob.cx, blob.cy
            track.blob = blob
            track.open_window(now_s)
        elif now_s - track.first_s > WINDOW_S:
            track.open_window(now_s)
        move_x, move_y = blob.cx - track.x, blob.cy - track.y
        track.x += 0.7 * move_x
        track.y += 0.7 * move_y
        track.path += 0.7 * math.hypot(move_x, move_y)
        if self._lasts(track, blob):
            track.lasting += 1
        elif track.hits > 1:
            miss = math.hypot(move_x - track.velocity[0] * dt_s, move_y - track.velocity[1] * dt_s)
            track.strays += miss > 3.0 + 0.25 * max(blob.x1 - blob.x0, blob.y1 - blob.y0)
        blend = 0.4 if track.hits > 1 else 1.0
        if dt_s <= FORGET_S:
            pace = (
                track.velocity[0] * (1 - blend) + blend * move_x / dt_s,
                track.velocity[1] * (1 - blend) + blend * move_y / dt_s,
            )
        track.velocity = pace
        track.blob, track.seen_s, track.merged, track.dazzled = blob, now_s, False, False
        track.hits += 1
        track.restless += (blob.restless - track.restless) / min(track.hits, 5)
        track.reach = max(track.reach, track.travelled())
        if blob.stirs:
            track.stirred_s = now_s
        if self._proves(track, now_s):
            track.confirmed, track.proved_s = True, now_s
            if self._wary(blob, track.restless) > 0.5:
                track.open_window(now_s)

    def _may_be_litter(self, blob: Blob) -> bool:
        return self._weather.bad >= 1.0 and blob.area < 4.0 * self.litter_area

    def _proves(self, track: Track, now_s: float) -> bool:
        """Whether it has moved as things do: straight away from where it was, by a good part of its own size."""
        blob = track.blob
        if self._may_be_litter(blob) or blob.structure < 0.1:
            return False
        travelled = track.travelled()
        wary = self._wary(blob, track.restless)
        is_straight = travelled >= (STRAIGHT + RESTLESS_STRAIGHT) * track.path
        if not track.confirmed and wary > 0.0 and is_straight and blob.contour > 0.0:
            wary = min(wary, self._wary_at_birth(track))
        loose = track.lasting < 0.6 * (track.hits - 1)
        if not track.confirmed:
            crowded = min(6.0, self._crowd / 3.0) * min(1.0, 3.0 * wary)
            least_s = LEAST_AGE_S + RESTLESS_AGE_S * wary + 0.1 * (crowded + loose * (1.0 + 2.0 * self._weather.bad))
            if now_s - track.birth_s < least_s or track.hits < LEAST_HITS + loose - (wary < 0.1):
                return False
            if track.strays > 0.2 * track.hits:
                return False
        length = max(blob.x1 - blob.x0, blob.y1 - blob.y0)
        brisk = 0.0
        if not track.confirmed:
            pace = track.path / (length * max(0.01, now_s - track.first_s))
            brisk = min(1.0, max(0.0, (pace - BRISK[0]) / (BRISK[1] - BRISK[0])))
            if now_s - track.birth_s < least_s + SUDDEN_S * brisk * self._came_up_inside(track, now_s):
                return False
        fastest = SMALL_FASTEST if blob.area < SMALL_SHARE * self._width * self._height else FASTEST
        if not track.confirmed and travelled > fastest * length * (now_s - track.first_s):
            return False
        need = LEAST_TRAVEL + (TRAVEL_SHARE + RESTLESS_TRAVEL_SHARE * wary) * blob.size
        if track.confirmed and track.looms(0.5 * need):
            return True
        straight = max(STRAIGHT + RESTLESS_STRAIGHT * wary, STRAIGHT + (BRISK_STRAIGHT - STRAIGHT) * brisk)
        if travelled < max(0.75 if loose else 0.0, straight) * track.path:
            return False
        return travelled >= need and track.grown() >= need

    def _wary_at_birth(self, track: Track) -> float:
        if track.known is None:
            return 1.0
        blob = track.blob
        return self._wary(blob, *Unrest.before(track.known, blob.x0, blob.y0, blob.x1, blob.y1))

    def _came_up_inside(self, track: Track, now_s: float) -> bool:
        """Whether it was not yet outside one frame before it was seen first."""
        frame_s = (now_s - track.birth_s) / max(1, track.hits - 1)
        dx, dy = track.velocity[0] * frame_s, track.velocity[1] * frame_s
        x0, y0, x1, y1 = track.first_box
        return x0 - dx > 1 and y0 - dy > 1 and x1 - dx < self._width - 1 and y1 - dy < self._height - 1

    def dazzle(self, now_s: float) -> list[Track]:
        """The scene is learned anew. Returns the proven things that stood there just before."""
        dazzled = []
        for track in self.tracks:
            seen = now_s - max(track.seen_s, track.held_s) <= JUST_S
            track.dazzled = (
                seen
                and track.stands()
                and track.blob.contour > 0.2
                and track.confirmed
                and track.came_far()
                and self._wary(track.blob, track.restless) < 0.5
            )
            if track.dazzled:
                dazzled.append(track)
        return dazzled

    def hold(self, scene: Hidden, now_s: float) -> None:
        """Keeps dazzled things for a while: as long as they still look as they did."""
        for track in self.tracks:
            if not track.dazzled or track.seen_s == now_s or now_s - track.seen_s > HELD_S:
                continue
            blob = track.blob
            where = slice(blob.y0, blob.y1), slice(blob.x0, blob.x1)
            if scene.still_hidden(where):
                if scene.trembles(where):
                    track.stirred_s = now_s
                if now_s - track.stirred_s <= self._patience_s(track):
                    track.held_s = now_s

    def boxes(self, now_s: float) -> tuple[tuple[int, int, int, int], ...]:
        """(x0, y0, x1, y1) of the proven things that were seen a moment ago, but those that may be a light."""
        return tuple(
            (track.blob.x0, track.blob.y0, track.blob.x1, track.blob.y1)
            for track in self.tracks
            if track.confirmed and now_s - track.seen_s <= HIDDEN_S and track.blob.structure >= TEXTURED
        )

    def hidden(self, now_s: float) -> list[Track]:
        """Proven things that are not seen just now: dazzled, behind rain, or merged with another."""
        return [
            track
            for track in self.tracks
            if track.confirmed and track.came_far() and 0.0 < now_s - track.seen_s <= HIDDEN_S
        ]

    def moving(self, now_s: float) -> list[Track]:
        """The things that are seen or felt in the frame at `now_s` and move, or stirred a short while ago."""
        return [
            track
            for track in self.tracks
            if track.confirmed
            and ((track.seen_s == now_s and self.holds(track, now_s)) or now_s - track.held_s <= FELT_S)
        ]

    def holds(self, track: Track, now_s: float) -> bool:
        """Whether a confirmed thing still counts as one that moves."""
        if now_s - track.stirred_s > self._patience_s(track) or self._may_be_litter(track.blob):
            return False
        lately = now_s - track.proved_s <= PROOF_LASTS_S
        return lately or (track.came_far() and self._wary(track.blob, track.restless) <= 0.5)

    def _patience_s(self, track: Track) -> float:
        if track.blob.contour > 0.2 and track.hits > 10:
            return STANDING_S * (1.0 + 0.5 * self._weather.bad)  # in which little is felt
        return STIRRING_S if track.blob.contour > 0.0 else DOUBTED_S
