"""Writes one clip: packets copied, never transcoded, into fragmented MP4 whose every prefix plays.

Rules: parts are at most one second and begin at a key frame where there is one; what a finished part holds is synced
before the next second is over; the file has its final name only when it is whole and synced. Layout: ftyp, moov, a
reserve, (moof, mdat)…; at the end the reserve becomes the index (sidx) that players seek by.
"""

import hashlib
import io
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from edge_agent.camera.packets import Packet, StreamInfo
from edge_agent.outbox.items import ClipClass
from edge_agent.recording import boxes
from edge_agent.recording.finished import ClipMeta, Ending, FinishedClip
from vonggac.daemon.crash_points import reach
from vonggac.daemon.files import remove_durably, rename_durably, sync_folder

PART_SUFFIX = ".part"
_RESERVE_BYTES = 4096  # 337 index entries; they grow together in longer clips
_PART_US = 900_000  # a part ends with the first packet at or after this: at any whole frame rate that is <= 1 s
_SHORTEST_PART_US = 200_000  # of streams that are all key frames (MJPEG)
_PART_BYTES = 1 << 20  # a part is handed over in one piece where it fits, not in thirty
_SYNC_EVERY_S = 0.5
_LONGEST_REASON = 300
_AS_ASKED = Ending()
_KEYS = {field.name: f"vonggac.{field.name}" for field in fields(ClipMeta)}


class ClipWriter:
    """One clip file, from its first key frame to `finish()`. OSError: the disk; the `.part` file stays for salvage."""

    def __init__(self, path: Path, info: StreamInfo, meta: ClipMeta, time_base: Fraction | None = None) -> None:
        if not info.recordable:
            raise ValueError(f"MP4 cannot hold {info.codec}: this stream is looked at, not recorded")
        self.path = path
        self.meta = meta
        self._info = info
        self._part_path = path.with_name(path.name + PART_SUFFIX)
        self._file = _SyncedFile(self._part_path)
        self._container = _open_muxer(self._file)
        begun = False
        try:
            self._begin(time_base or info.time_base)
            begun = True
        finally:
            if not begun:
                self.abandon()
                with suppress(OSError):
                    remove_durably(self._part_path)

    def _begin(self, time_base: Fraction) -> None:
        """Write the head, synced: whatever stands behind it can be read after a power cut."""
        info, meta = self._info, self.meta
        self._base: int | None = None
        self._time_base = time_base
        self._last_dts: int | None = None
        self._waits_for_leading = True
        self.packets = 0
        self.refused = 0
        self._container.metadata.update(
            {_KEYS[name]: str(value) for name, value in asdict(meta).items() if value is not None}
            | {"creation_time": _iso(meta.first_frame_wall_ms), "encoder": "vonggac"}
        )
        with av.open(io.BytesIO(info.header), "r", format="nut") as template:
            source = template.streams.video[0]
            self._stream: VideoStream = self._container.add_stream_from_template(source, opaque=True)
            if info.codec == "hevc":
                self._stream.codec_context.codec_tag = "hvc1"  # players of the Apple kind refuse hev1
        self._stream.time_base = self._time_base
        self._container.start_encoding()
        self._file.write(boxes.free_box(_RESERVE_BYTES))
        self._file.sync()
        sync_folder(self.path.parent)
        reach("clip.begun")

    def write(self, packet: Packet) -> None:
        """Add a packet, in the order it came; the first must be a key frame. OSError where the disk fails."""
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else packet.pts
        if pts is None or dts is None:
            raise ValueError("a packet without any timestamp cannot be placed in a clip")
        if self._base is None:
            if not packet.is_key:
                raise ValueError("a clip begins with a key frame")
            self._base = pts
        elif self._waits_for_leading and pts < self._base:
            return  # open GOP: a picture before the key frame, which leans on one that is not here
        self._waits_for_leading = self._waits_for_leading and (packet.is_key or pts < self._base)
        dts = min(dts, pts) - self._base
        if self._last_dts is not None and dts <= self._last_dts:
            dts = self._last_dts + 1
        raw = av.Packet(packet.data)
        raw.stream = self._stream
        raw.time_base = packet.time_base
        raw.pts, raw.dts = max(pts - self._base, dts), dts
        raw.duration = packet.duration or 0
        raw.is_keyframe = packet.is_key
        try:
            self._container.mux_one(raw)
        except (av.error.InvalidDataError, av.error.ArgumentError):
            self.refused += 1
            return
        if self._file.failure is not None:
            raise self._file.failure
        self._last_dts = dts
        self.packets += 1
        self._file.sync_if_due()

    def finish(self, ending: Ending = _AS_ASKED) -> FinishedClip:
        """Make the file whole, synced and named. OSError where the disk fails: the `.part` file stays for salvage."""
        self._container.close()
        failure = self._file.failure
        self._file.close()
        if failure is not None:
            raise failure
        return seal(self._part_path, self.path, self.meta, self._info, ending)

    def finish_short(self, reason: str) -> FinishedClip | None:
        """The disk failed: keep what is whole, or, where nothing is, no file at all (None).

        OSError where the disk refuses even that: the `.part` file stays for salvage.
        """
        self.abandon()
        try:
            return seal(self._part_path, self.path, self.meta, self._info, Ending(truncated=True, reason=reason))
        except boxes.Torn:
            remove_durably(self._part_path)
            return None

    def abandon(self) -> None:
        """Let go of the file as it is; salvage will find it."""
        with suppress(av.error.FFmpegError, OSError):
            self._container.close()
        self._file.close()


def seal(part_path: Path, path: Path, meta: ClipMeta, info: StreamInfo, ending: Ending) -> FinishedClip:
    """Cut a torn tail, write index and ending into the reserve, sync, hash, rename.

    No room is needed for it on the disk. `boxes.Torn`: not one whole part.
    """
    with part_path.open("r+b") as file:
        layout = boxes.read_layout(file)
        if not layout.parts:
            raise boxes.Torn("not one part of the clip is whole")
        if layout.torn_bytes:
            file.truncate(layout.end)
        index = boxes.index_for(layout, _note(ending))
        if index:
            file.seek(layout.reserve_offset)
            file.write(index)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    reach("clip.sealed")
    rename_durably(part_path, path)
    reach("clip.renamed")
    return _finished(path, meta, info, layout, digest, ending)


def sealed_ending(file: BinaryIO) -> Ending | None:
    """How a clip ended, by its own word; None where `seal` did not come to an end with just these parts."""
    layout = boxes.read_layout(file)
    file.seek(layout.reserve_offset)
    reserve = file.read(layout.reserve_size)
    note = boxes.read_note(reserve)
    if not note or layout.torn_bytes or boxes.index_for(layout, note) != reserve:
        return None
    try:
        return Ending(**json.loads(note))
    except (ValueError, TypeError):
        return None


def _note(ending: Ending) -> bytes:
    return json.dumps(asdict(replace(ending, reason=ending.reason[:_LONGEST_REASON]))).encode("ascii")


def describe(path: Path) -> FinishedClip:
    """A clip that was finished earlier, read anew; ValueError where it is none."""
    meta, info = read_clip_head(path)
    with path.open("rb") as file:
        layout = boxes.read_layout(file)
        ending = sealed_ending(file) or _AS_ASKED
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _finished(path, meta, info, layout, digest, ending)


def _finished(
    path: Path, meta: ClipMeta, info: StreamInfo, layout: boxes.Layout, sha256: str, ending: Ending
) -> FinishedClip:
    return FinishedClip(
        path=path,
        meta=meta,
        sha256=sha256,
        size_bytes=layout.end,
        first_frame_wall_ms=meta.first_frame_wall_ms,
        duration_ms=round(layout.duration * 1000 / layout.timescale),
        codec=info.codec,
        width=info.width,
        height=info.height,
        packets=layout.packets,
        truncated=ending.truncated,
        reason=ending.reason,
    )


def read_clip_head(path: Path) -> tuple[ClipMeta, StreamInfo]:
    """What a clip file says about itself and its stream (without `header`); ValueError where it is no clip of ours."""
    try:
        with av.open(
            f"file:{path}",
            "r",
            format="mp4",
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        ) as clip:
            told = clip.metadata
            (stream,) = clip.streams.video
            context: VideoCodecContext | None = stream.codec_context
            time_base = stream.time_base or Fraction(1, 90_000)
        if context is None:
            raise _not_ours(path)
        info = StreamInfo(context.name, context.width, context.height, None, time_base, b"")
        box, camera, episode, clip_id = (told[_KEYS[name]] for name in ("box", "camera", "episode", "clip"))
        mono_ms = told.get(_KEYS["first_frame_mono_ms"])
        meta = ClipMeta(
            *(box, camera, episode, clip_id, int(told[_KEYS["first_frame_wall_ms"]])),
            ClipClass(int(told.get(_KEYS["clip_class"], ClipClass.NORMAL))),
            told.get(_KEYS["boot_id"]),
            int(mono_ms) if mono_ms is not None else None,
        )
    except (av.error.FFmpegError, OSError, KeyError, ValueError):
        raise _not_ours(path) from None
    return meta, info


def _not_ours(path: Path) -> ValueError:
    return ValueError(f"{path.name} is no clip of this program: its head cannot be read")


def _open_muxer(file: "_SyncedFile") -> OutputContainer:
    return av.open(
        file,
        "w",
        format="mp4",
        buffer_size=_PART_BYTES,
        options={
            "movflags": "empty_moov+default_base_moof+frag_keyframe+negative_cts_offsets+skip_trailer"
            "+use_metadata_tags",
            "frag_duration": str(_PART_US),
            "min_frag_duration": str(_SHORTEST_PART_US),
            "avoid_negative_ts": "disabled",
            "flush_packets": "1",
        },
    )


def _iso(wall_ms: int) -> str:
    seconds, rest = divmod(wall_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


class _SyncedFile:
    """What the muxer writes to: no seeking, and a sync at most every half second, once a part has come out."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._dirty = False
        self._synced_at = time.monotonic()
        self.failure: OSError | None = None  # the muxer does not pass every failure on

    def write(self, data: bytes | memoryview) -> int:
        if self.failure is not None:
            raise self.failure  # behind a torn part nothing can be read
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._fd, view[done:])
        except OSError as error:
            self.failure = error
            raise
        self._dirty = True
        return done

    def sync_if_due(self) -> None:
        if self._dirty and time.monotonic() - self._synced_at >= _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        os.fsync(self._fd)
        self._dirty = False
        self._synced_at = time.monotonic()
        reach("clip.part.synced")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
