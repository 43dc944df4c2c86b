"""Decides which packets of one camera go into which clip: from the ring before an episode to the post-roll behind it.

Rules: a clip starts at the key frame at or before the asked moment; an episode has one clip unless the stream broke,
the disk fell behind or the clip grew too long, and then the next clip of the same episode begins as soon as it can,
and the one before says why it ended. Called by the copying thread (`on_packet`, `on_lost_stream`) and the looking one
(`begin`, `end`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.camera.ring import PacketRing
from edge_agent.outbox.items import ClipClass
from edge_agent.recording.clip_thread import ClipThread
from edge_agent.recording.finished import ClipMeta, Ending
from vonggac.daemon.logs import get_logger

log = get_logger(__name__)


class WallClock(Protocol):
    """What a recorder asks of time."""

    @property
    def boot_id(self) -> str: ...

    def mono_ms(self) -> float: ...

    def wall_ms_at(self, mono_ms: float) -> int: ...


@dataclass(slots=True)
class _Recording:
    """One episode that is being recorded; `clip` is "" while no file is open for it."""

    episode: str
    clip_class: ClipClass
    clip: str = ""
    until_ms: float | None = None
    clip_began_ms: float = 0.0
    why_short: str = ""


class Recorder:
    """One camera's recorder."""

    def __init__(
        self,
        box: str,
        camera: str,
        *,
        ring: PacketRing,
        clips: ClipThread,
        clock: WallClock,
        new_id: Callable[[], str],
        max_clip_s: float = 600.0,
    ) -> None:
        self._box = box
        self._camera = camera
        self._ring = ring
        self._clips = clips
        self._clock = clock
        self._new_id = new_id
        self._max_clip_ms = max_clip_s * 1000.0
        self._lock = threading.Lock()
        self._info: StreamInfo | None = None
        self._recordings: dict[str, _Recording] = {}

    @property
    def recording(self) -> bool:
        """Whether any episode is being recorded."""
        with self._lock:
            return bool(self._recordings)

    def on_packet(self, packet: Packet, info: StreamInfo) -> None:
        """Take the next packet; a new `info` object means that the stream was opened anew."""
        with self._lock:
            if info is not self._info:
                self._break("the camera's stream was opened anew")
                self._ring.clear()
                self._info = info
            self._ring.append(packet)
            for recording in list(self._recordings.values()):
                self._feed(recording, packet, info)

    def on_lost_stream(self, why: str) -> None:
        """The stream is gone: close what is open; it goes on in a new clip when the stream is back."""
        with self._lock:
            self._break(why)
            self._ring.clear()
            self._info = None

    def begin(self, episode: str, from_mono_ms: float, clip_class: ClipClass = ClipClass.NORMAL) -> None:
        """Record from the key frame at or before `from_mono_ms`, until `end` says when."""
        with self._lock:
            if episode in self._recordings:
                return
            recording = self._recordings[episode] = _Recording(episode, clip_class)
            if self._info is None:
                return
            packets = self._ring.since(from_mono_ms)
            if not packets:
                return
            if self._ring.starved:
                recording.why_short = "a part of the pre-roll did not fit in the packet ring's byte budget"
            self._open(recording, packets, self._info)

    def end(self, episode: str, until_mono_ms: float) -> None:
        """Stop recording once a packet at or after `until_mono_ms` came, or the stream is gone."""
        with self._lock:
            recording = self._recordings.get(episode)
            if recording is None:
                return
            recording.until_ms = until_mono_ms
            newest_ms = self._ring.newest_ms
            gone = self._info is None and self._clock.mono_ms() >= until_mono_ms
            if gone or (newest_ms is not None and newest_ms >= until_mono_ms):
                self._finish(recording)

    def close(self, why: str = "the program ends") -> None:
        """Close every clip, truncated where its episode had not ended."""
        with self._lock:
            self._break(why)
            self._recordings.clear()

    def _feed(self, recording: _Recording, packet: Packet, info: StreamInfo) -> None:
        over = recording.until_ms is not None and packet.mono_ms >= recording.until_ms
        if recording.clip:
            too_long = packet.is_key and packet.mono_ms - recording.clip_began_ms >= self._max_clip_ms
            if too_long and not over:
                self._end_clip(recording, "the episode goes on in the next clip")
            elif not self._clips.offer(recording.clip, (packet,)):
                log.warning("the disk does not keep up, clip closed", camera=self._camera, clip=recording.clip)
                self._end_clip(recording, "the disk was too slow: the queue of the clip writer was full", cut=True)
        if over:
            self._finish(recording)
        elif not recording.clip and packet.is_key and self._clips.roomy:
            self._open(recording, [packet], info)

    def _open(self, recording: _Recording, packets: list[Packet], info: StreamInfo) -> None:
        if not info.recordable:
            if not recording.why_short:
                recording.why_short = "not recordable"
                log.warning("stream cannot be recorded", camera=self._camera, codec=info.codec)
            return
        clip = self._new_id()
        began_ms = packets[0].mono_ms
        meta = ClipMeta(
            *(self._box, self._camera, recording.episode, clip, self._clock.wall_ms_at(began_ms)),
            *(recording.clip_class, self._clock.boot_id, round(began_ms)),
        )
        self._clips.begin(meta, info)
        recording.clip, recording.clip_began_ms = clip, began_ms
        if not self._clips.offer(clip, packets):
            log.warning("the disk does not keep up, clip closed", camera=self._camera, clip=clip)
            self._end_clip(recording, "the disk was too slow: the queue of the clip writer was full", cut=True)

    def _break(self, why: str) -> None:
        """Close all open clips as cut short; forget recordings whose end has passed."""
        now_ms = self._clock.mono_ms()
        for recording in list(self._recordings.values()):
            self._end_clip(recording, why, cut=True)
            if recording.until_ms is not None and recording.until_ms <= now_ms:
                del self._recordings[recording.episode]

    def _finish(self, recording: _Recording) -> None:
        self._end_clip(recording, "")
        del self._recordings[recording.episode]

    def _end_clip(self, recording: _Recording, why: str, *, cut: bool = False) -> None:
        if not recording.clip:
            return
        self._clips.end(
            recording.clip,
            Ending(
                truncated=cut or bool(recording.why_short),
                reason="; ".join(filter(None, (recording.why_short, why))),
            ),
        )
        recording.clip, recording.why_short = "", ""
