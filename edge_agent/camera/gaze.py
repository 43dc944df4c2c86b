"""Decodes of one opened stream what attention asks for, and shows it to whoever looks, in order of time.

Rules: pictures at rest come from key frames decoded by themselves; what stirs is followed back through the packets
kept since the last calm key frame. Who looks sees each picture once, never an earlier one after a later one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.camera.attention import KEYS_APART_MS, LONGEST_REST_MS, Attention
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.glance import Glance, cells_of
from edge_agent.camera.packets import Packet
from edge_agent.camera.reader import Reader
from edge_agent.camera.unavailable import CameraUnavailable

Look = Callable[[Frame], Interest]
"""Looks at a picture and says what it is worth."""

_GATHER_S = 0.37
_HOPELESS_DECODE_ERRORS = 50  # in a row: the decoder and the stream do not fit any more


@dataclass(slots=True)
class Seen:
    """Counters of one camera, over all its connections."""

    decoded: int = 0
    looked: int = 0
    decode_errors: int = 0
    errors_in_a_row: int = 0
    last_error: str = ""
    last_frame_mono_ms: float | None = None


class Gaze:
    """One stream's. Use it in the thread of its reader."""

    def __init__(self, reader: Reader, attention: Attention | None, look: Look, seen: Seen) -> None:
        """`attention` None: every picture is decoded and looked at."""
        self._reader = reader
        self._attention = attention
        self._look = look
        self._seen = seen
        seen.errors_in_a_row = 0
        self._glance = Glance()
        self._key_glance = Glance()
        self._key_unjudged = self._key_busy = self._kept_key_calm = False
        self._waiting: list[Frame] = []  # decoded, not looked at: would be, if something stirred now
        self._kept: list[Packet] = []  # since the key frame before, or at rest since the one looked at last
        self._looked_ms = self._key_glanced_ms = float("-inf")
        if attention is not None:
            attention.opened()

    def take(self, packet: Packet) -> None:
        """Take the next packet; raises CameraUnavailable when nothing can be decoded any more."""
        attention = self._attention
        if attention is None:
            for frame in self._decoded(packet):
                self._show(frame)
            return
        self._reader.gather_s = _GATHER_S if attention.patient else 0.0
        told = attention.packet(packet.mono_ms, len(packet.data), packet.is_key)
        if not attention.resting and (packet.is_key or self._kept) and attention.rest(packet.mono_ms):
            for frame in self._flushed():
                self._consider(attention, frame)
            self._waiting.clear()
        if attention.resting:
            self._rest(attention, packet, told)
            return
        if packet.is_key:
            self._kept.clear()
        if attention.keys_are_close and (packet.is_key or self._kept):
            self._kept.append(packet)
        else:
            self._kept.clear()
        for frame in self._decoded(packet):
            self._consider(attention, frame)

    def finish(self) -> None:
        """The stream ended: what was decoded, or could be, is looked at before that is told."""
        attention = self._attention
        if attention is None:
            for frame in self._flushed():
                self._show(frame)
            return
        if attention.resting:
            self._follow_back(attention, self._kept[-1].mono_ms)
        for frame in self._flushed():
            self._consider(attention, frame)

    # --- at rest -------------------------------------------------------------------------------------------------

    def _rest(self, attention: Attention, packet: Packet, told: bool) -> None:
        since_ms = packet.mono_ms - self._kept[0].mono_ms if self._kept else LONGEST_REST_MS
        self._kept.append(packet)
        if told or since_ms > LONGEST_REST_MS:
            self._follow_back(attention, packet.mono_ms)
        elif packet.is_key and since_ms >= KEYS_APART_MS:
            self._judge_key(attention)
            frame = self._alone(packet)
            cells = None if frame is None else cells_of(frame.luma)
            if frame is None or cells is None or self._key_glance.differs(cells):
                self._follow_back(attention, packet.mono_ms)
                return
            self._kept = [packet]
            interest = self._show(frame)
            attention.looked(frame.mono_ms, interest)
            self._kept_key_calm = interest == "none"
            self._key_glance.keep(calm=self._kept_key_calm)
            self._glance.differs(cells)
            self._glance.keep(calm=False)
            if interest != "none" or not attention.rest(frame.mono_ms):
                self._follow_back(attention, frame.mono_ms)

    def _alone(self, packet: Packet) -> Frame | None:
        """The picture of a key frame, decoded with nothing before or behind it."""
        try:
            frames = self._reader.decode_alone(packet)
        except CameraUnavailable as error:
            self._fail(error)
            return None
        self._count(len(frames))
        return frames[0] if frames else None

    def _follow_back(self, attention: Attention, now_ms: float) -> None:
        attention.wake(now_ms)
        kept = list(self._kept)
        self._reader.restart_decoder(self._looked_ms)
        for packet in kept:
            for frame in self._decoded(packet):
                self._consider(attention, frame)

    # --- awake and dozing ----------------------------------------------------------------------------------------

    def _decoded(self, packet: Packet) -> list[Frame]:
        try:
            frames = self._reader.decode(packet)
        except CameraUnavailable as error:
            self._fail(error)
            return []
        self._count(len(frames))
        return frames

    def _flushed(self) -> list[Frame]:
        frames = self._reader.flush()
        self._count(len(frames))
        return frames

    def _consider(self, attention: Attention, frame: Frame) -> None:
        """Look at a picture now, keep it in case that the next one differs, or pass it over."""
        now_ms = frame.mono_ms
        if now_ms <= self._looked_ms:
            return  # followed back: the key frame that was looked at already
        due, dozing = attention.due(now_ms), attention.level(now_ms) == "dozing"
        if due or (dozing and attention.worth_keeping(now_ms)):
            glanced = not attention.busy  # while something moves, no glance is needed to tell
            differs = not glanced or self._glance.differs(cells_of(frame.luma))
            if dozing and differs:
                attention.stir(now_ms)
            elif due:
                self._waiting.clear()
            self._waiting.append(frame)
            if due or differs:
                interest = self._look_at_waiting(attention)
                if glanced:
                    self._glance.keep(calm=interest == "none")
            else:
                attention.candidate(now_ms)
        if frame.is_key and now_ms - self._key_glanced_ms >= KEYS_APART_MS:
            self._key_glanced_ms = now_ms
            self._judge_key(attention)
            if self._key_glance.differs(cells_of(frame.luma)):
                attention.key_differs(now_ms)
            self._key_unjudged, self._key_busy = True, attention.busy

    def _judge_key(self, attention: Attention) -> None:
        """Of the key frame before this one: what moved in it is known only now.

        A difference is usual only if nothing moved in either of the two pictures. Otherwise whoever goes the same way
        a second time would be taken for what this place does.
        """
        if self._key_unjudged:
            self._key_unjudged = False
            calm = not (attention.busy or self._key_busy)
            self._key_glance.keep(calm=calm and self._kept_key_calm)
            self._kept_key_calm = calm

    def _look_at_waiting(self, attention: Attention) -> Interest:
        waiting, self._waiting = self._waiting, []
        interest: Interest = "none"
        for frame in waiting:
            interest = self._show(frame)
            attention.looked(frame.mono_ms, interest)
        return interest

    def _show(self, frame: Frame) -> Interest:
        self._seen.looked += 1
        self._looked_ms = frame.mono_ms
        return self._look(frame)

    def _count(self, frames: int) -> None:
        if frames:
            self._seen.errors_in_a_row = 0
            self._seen.decoded += frames
            self._seen.last_frame_mono_ms = self._reader.shown_ms

    def _fail(self, error: CameraUnavailable) -> None:
        self._seen.errors_in_a_row += 1
        self._seen.decode_errors += 1
        self._seen.last_error = str(error)
        if self._seen.errors_in_a_row >= _HOPELESS_DECODE_ERRORS:
            raise error
