"""Decodes of one opened stream what attention asks for, and shows it to whoever looks, in order of time.

Rules: pictures that are looked at at rest come from key frames; what stirs is followed back through the packets kept
since the last calm key frame; what is known to move is followed from key frame to key frame. Who looks sees each
picture once, never an earlier one after a later one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.camera.attention import KEYS_APART_MS, LONGEST_REST_MS, UNSEEN_MS, Attention
from edge_agent.camera.frames import Frame, Interest
from edge_agent.camera.glance import Cells, Glance, cells_of
from edge_agent.camera.packets import Packet
from edge_agent.camera.reader import Reader
from edge_agent.camera.unavailable import CameraUnavailable

Look = Callable[[Frame], Interest]
"""Looks at a picture and says what it is worth."""
StandsOut = Callable[[Frame], bool]
"""Whether a picture, of any time, may show something in the scene; nothing is learned from it."""

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

    def __init__(
        self,
        reader: Reader,
        attention: Attention | None,
        look: Look,
        seen: Seen,
        stands_out: StandsOut = lambda _: True,
    ) -> None:
        """`attention` None: every picture is decoded and looked at. `stands_out` is asked where a glance differs."""
        self._reader = reader
        self._attention = attention
        self._look = look
        self._stands_out = stands_out
        self._seen = seen
        seen.errors_in_a_row = 0
        self._glance = Glance()
        self._key_glance = Glance()
        self._waiting: list[Frame] = []  # decoded, not looked at: would be, if something stirred now
        self._kept: list[Packet] = []  # since the key frame before (at rest, the one looked at last), if not long ago
        self._peeked = 0  # so many of them the decoder has behind it, at rest
        self._looked_ms = self._key_glanced_ms = float("-inf")
        if attention is not None:
            attention.opened()

    def take(self, packet: Packet) -> None:
        """Take the next packet; raises CameraUnavailable when nothing can be decoded any more."""
        if self._attention is None:
            for frame in self._decoded(packet):
                self._show(frame)
            return
        self._attend(self._attention, packet)
        self._reader.gather_s = self._attention.gather_s(packet.mono_ms)

    def _attend(self, attention: Attention, packet: Packet) -> None:
        told = attention.packet(packet.mono_ms, len(packet.data), packet.is_key)
        if not attention.resting and (packet.is_key or self._kept) and attention.rest(packet.mono_ms):
            for frame in self._flushed():
                self._consider(attention, frame)
            self._waiting.clear()
        if attention.resting:
            self._rest(attention, packet, told)
            return
        if attention.following and not self._comes_back(attention, packet):
            return
        if packet.is_key or (self._kept and packet.mono_ms - self._kept[0].mono_ms > LONGEST_REST_MS):
            self._kept.clear()
        if attention.keys_are_close and (packet.is_key or self._kept):
            self._kept.append(packet)
        else:
            self._kept.clear()
        frames = self._decoded(packet)
        if told and frames and attention.waits_for_notice and self._would_wake(frames[-1]):
            attention.noticed(packet.mono_ms)
        for frame in frames:
            self._consider(attention, frame)
        if self._kept:
            attention.follow(packet.mono_ms)

    def finish(self) -> None:
        """The stream ended: what was decoded, or could be, is looked at before that is told."""
        attention = self._attention
        if attention is None:
            for frame in self._flushed():
                self._show(frame)
            return
        if attention.resting or attention.following:
            self._follow_back(attention, self._kept[-1].mono_ms)
        for frame in self._flushed():
            self._consider(attention, frame)

    # --- at rest -------------------------------------------------------------------------------------------------

    def _rest(self, attention: Attention, packet: Packet, told: bool) -> None:
        since_ms = packet.mono_ms - self._kept[0].mono_ms if self._kept else LONGEST_REST_MS
        self._kept.append(packet)
        if since_ms > LONGEST_REST_MS:
            self._follow_back(attention, packet.mono_ms)
        elif packet.is_key and since_ms >= KEYS_APART_MS:
            frame = self._key_picture(packet)
            if frame is None or self._wakes(cells := cells_of(frame.luma), frame):
                self._follow_back(attention, packet.mono_ms)
                return
            self._kept = [packet]
            interest = self._look_at(attention, frame)
            self._key_glance.keep(frame.mono_ms)
            self._glance.differs(cells)
            self._glance.keep(frame.mono_ms)
            if interest != "none" or not attention.rest(frame.mono_ms):
                self._follow_back(attention, frame.mono_ms)
        elif told and self._peek():
            self._follow_back(attention, packet.mono_ms)

    def _key_picture(self, packet: Packet) -> Frame | None:
        """The picture of a key frame, decoded with nothing before it."""
        try:
            frames, goes_on = self._reader.decode_key(packet)
        except CameraUnavailable as error:
            self._fail(error)
            return None
        self._peeked = int(goes_on)
        self._count(len(frames))
        return frames[0] if frames else None

    def _peek(self) -> bool:
        """Decode up to now: does the newest picture differ from the key frame that was looked at last?"""
        if not self._peeked:
            self._reader.restart_decoder(self._looked_ms)
        behind, self._peeked = self._kept[self._peeked :], len(self._kept)
        frames = [frame for packet in behind for frame in self._decoded(packet)[-1:]][-1:]
        return any(self._would_wake(frame) for frame in frames)

    def _wakes(self, cells: Cells, frame: Frame) -> bool:
        """Whether a key frame shows something new: what wind or clouds do to a cheap glance is asked again."""
        return self._key_glance.differs(cells) and self._stands_out(frame)

    def _would_wake(self, frame: Frame) -> bool:
        """The same of a picture that is no key frame."""
        return self._key_glance.would_differ(cells_of(frame.luma)) and self._stands_out(frame)

    def _follow_back(self, attention: Attention, now_ms: float) -> None:
        attention.wake(now_ms)
        kept, self._peeked = list(self._kept), 0
        self._reader.restart_decoder(self._looked_ms)
        for packet in kept:
            for frame in self._decoded(packet):
                self._consider(attention, frame)

    # --- following ------------------------------------------------------------------------------------------------

    def _comes_back(self, attention: Attention, packet: Packet) -> bool:
        """Whether a packet is to be decoded, and can be; what is passed over is kept in case that key frames stop."""
        if not attention.looks_again(packet.mono_ms, packet.is_key):
            if packet.is_key:
                self._kept.clear()
            self._kept.append(packet)
            return False
        self._reader.restart_decoder(self._looked_ms)
        self._waiting.clear()
        if packet.is_key:
            return True
        for kept in self._kept:
            for frame in self._decoded(kept):
                self._consider(attention, frame)
        return True

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
                self._look_at_waiting(attention)
                if glanced:
                    self._glance.keep(now_ms)
            else:
                attention.candidate(now_ms)
        if frame.is_key and now_ms - self._key_glanced_ms >= KEYS_APART_MS:
            self._key_glanced_ms = now_ms
            if self._wakes(cells_of(frame.luma), frame):
                attention.noticed(now_ms)
            self._key_glance.keep(now_ms)

    def _look_at_waiting(self, attention: Attention) -> None:
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._look_at(attention, frame)

    def _look_at(self, attention: Attention, frame: Frame) -> Interest:
        interest = self._show(frame)
        attention.looked(frame.mono_ms, interest)
        for glance in (self._glance, self._key_glance):
            if attention.busy:
                glance.forget()
            else:
                glance.calm(frame.mono_ms - UNSEEN_MS)
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
