"""`edge-agent check`: what an installer must know before leaving, a line each, in plain words.

Each check tries the real thing once, within a deadline, and says what is wrong and what to do; none changes anything.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests

from edge_agent.aim.words import Language, text_of, why_unavailable
from edge_agent.camera.frames import Frame
from edge_agent.camera.reader import Deadlines, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.config import CameraSection, EdgeConfig
from edge_agent.identity.credentials import Credentials
from edge_agent.identity.exchange import PinnedAdapter, tls_reason
from edge_agent.identity.folder import Identity
from edge_agent.recording.snapshot import draw_snapshot
from edge_agent.uplink.link import Connected, Disconnected, Link
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.threads import Stop

_HTTP_DEADLINE_S = 10.0
_BROKER_DEADLINE_S = 20.0
_LOOK_S = 6.0
_NO_CLIP = "00000000-0000-7000-8000-000000000000"
PLAYED_EVERYWHERE = ("h264",)
MOST_KEY_S = 4.0
"""A clip begins at a key frame, at most so long before it was wanted; 5 s of pre-roll hold one then."""
MOST_KBPS = 6144
"""Beyond it a clip of 30 s is more than 20 MB: minutes on a household's line."""
_PICTURE_BYTES, _PICTURE_WIDTH = 200 * 1024, 1280


@dataclass(frozen=True)
class Finding:
    """One line: `part` ("camera gate (main)"), whether it is well, `word` and `facts` of what was found or has to be
    done (edge_agent/aim/words.py). `is_advice`: it works, and could be better."""

    part: str
    ok: bool
    word: str
    facts: dict[str, object] = field(default_factory=dict)
    is_advice: bool = False

    def say(self, language: Language = "en") -> str:
        """The sentence."""
        return text_of(self.word, self.facts, language)


@dataclass(frozen=True)
class Look:
    """What the first seconds of a stream showed. `key_s`: between key frames, None when there was no second one.

    `jpeg` is its last picture.
    """

    width: int
    height: int
    codec: str
    fps: float
    kbps: float
    key_s: float | None
    looked_s: float
    is_recordable: bool
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True)
class StreamLook:
    """A stream that was looked at: what was seen, or why nothing was."""

    camera: str
    stream: str
    look: Look | None
    failure: Finding | None

    @property
    def part(self) -> str:
        """As findings call it."""
        return f"camera {self.camera} ({self.stream})"


def look_at_cameras(config: EdgeConfig, clock: Clock) -> Iterator[StreamLook]:
    """Open every stream of every camera and look at its first seconds."""
    for camera in config.cameras:
        for stream, source in (("main", camera.source), ("sub", camera.sub)):
            if source is not None:
                yield _look_at(camera, stream, source, clock)


def _look_at(camera: CameraSection, stream: str, source: str, clock: Clock) -> StreamLook:
    part = f"camera {camera.name} ({stream})"
    try:
        address = camera.address(source)
        seen = _look(address, Deadlines(camera.open_deadline, camera.read_deadline), clock)
    except ConfigInvalid as error:
        return StreamLook(camera.name, stream, None, Finding(part, False, "plain", {"text": str(error)}))
    except CameraUnavailable as error:
        word, facts = why_unavailable(error.reason, str(error), str(address), is_file=address.kind == "file")
        return StreamLook(camera.name, stream, None, Finding(part, False, word, facts))
    if seen is None:
        return StreamLook(camera.name, stream, None, Finding(part, False, "no_picture", {"address": str(address)}))
    return StreamLook(camera.name, stream, seen, None)


def _look(address: SourceAddress, deadlines: Deadlines, clock: Clock) -> Look | None:
    """None when packets came and no picture. Raises CameraUnavailable."""
    began = time.monotonic()
    packets = size_bytes = 0
    first_ms = last_ms = 0.0
    keys: list[float] = []
    last: Frame | None = None
    reader = open_reader(address, deadlines, clock, Stop())
    try:
        for packet in reader.packets():
            packets += 1
            size_bytes += len(packet.data)
            first_ms, last_ms = first_ms or packet.mono_ms, packet.mono_ms
            keys += [packet.mono_ms] if packet.is_key else []
            last = next(iter(reader.decode(packet)[-1:]), last)
            if time.monotonic() - began > _LOOK_S:
                break
    except CameraUnavailable as end:
        if end.reason != "ended" or last is None:
            raise
    finally:
        jpeg = b"" if last is None else draw_snapshot(last.bgr(), None, _PICTURE_BYTES, _PICTURE_WIDTH)
        reader.close()
    if last is None:
        return None
    span_s = max(0.001, (last_ms - first_ms) / 1000)
    info = reader.info
    return Look(
        width=info.width,
        height=info.height,
        codec=info.codec,
        fps=(packets - 1) / span_s,
        kbps=size_bytes * 8 / span_s / 1000,
        key_s=(keys[-1] - keys[0]) / 1000 / (len(keys) - 1) if len(keys) > 1 else None,
        looked_s=span_s,
        is_recordable=info.recordable,
        jpeg=jpeg,
    )


def judge_stream(seen: StreamLook, language: Language = "en") -> Iterator[Finding]:
    """What to say of a stream: that it is there, and what could be better."""
    if seen.look is None:
        assert seen.failure is not None  # noqa: S101 - one of the two is there
        yield seen.failure
        return
    look, part = seen.look, seen.part
    facts: dict[str, object] = {
        "width": look.width,
        "height": look.height,
        "codec": look.codec,
        "fps": look.fps,
        "kbps": look.kbps,
        "key": "" if look.key_s is None else text_of("key", {"s": look.key_s}, language),
        "recorded": "" if look.is_recordable else text_of("not_recordable", {}, language),
    }
    yield Finding(part, True, "picture", facts)
    if seen.stream != "main":
        return
    if look.codec not in PLAYED_EVERYWHERE:
        yield Finding(part, True, "codec", {"codec": look.codec}, is_advice=True)
    if look.key_s is not None and look.key_s > MOST_KEY_S:
        yield Finding(part, True, "key_far", {"s": look.key_s}, is_advice=True)
    if look.key_s is None and look.looked_s > MOST_KEY_S:
        yield Finding(part, True, "key_none", {"s": look.looked_s}, is_advice=True)
    if look.kbps > MOST_KBPS:
        yield Finding(part, True, "kbps_high", {"kbps": look.kbps, "most": MOST_KBPS}, is_advice=True)


def check_power(throttled: int | None) -> Iterator[Finding]:
    """A Pi's own word on its voltage (bits 0 and 16 of get_throttled); other computers have none."""
    if throttled is not None:
        word = "power_now" if throttled & 1 else "power_before" if throttled & 1 << 16 else "power_ok"
        yield Finding("power", word == "power_ok", word)


def check_upload(kbps: float, looks: list[StreamLook]) -> Finding:
    """Does the line carry what the cameras make?"""
    needed = sum(seen.look.kbps for seen in looks if seen.look is not None and seen.stream == "main")
    if needed > kbps:
        return Finding("upload", True, "upload_slow", {"kbps": kbps, "needed": needed}, is_advice=True)
    return Finding("upload", True, "upload_ok", {"kbps": kbps, "clip_s": 10 * needed / max(kbps, 0.001)})


def check_broker(link: Link, where: str) -> Finding:
    """Connect and sign in once."""
    deadline = time.monotonic() + _BROKER_DEADLINE_S
    link.connect()
    try:
        while time.monotonic() < deadline:
            for news in link.wait(0.2):
                if isinstance(news, Connected):
                    return Finding("broker", True, "broker_ok", {"where": where, "protocol": news.protocol})
                if isinstance(news, Disconnected) and news.refused:
                    return Finding("broker", False, "broker_refused", {"where": where, "reason": news.reason})
                if isinstance(news, Disconnected):
                    return Finding("broker", False, "broker_gone", {"where": where, "reason": news.reason})
    finally:
        link.close()
    return Finding("broker", False, "broker_strange", {"where": where})


def check_collector(config: EdgeConfig, who: Credentials) -> Finding:
    """Ask the collector whether it lives, and its upload endpoint whether it knows us."""
    url = config.collector.url
    verify: str | bool = str(config.collector.ca_file) if config.collector.ca_file else True
    try:
        with requests.Session() as session:
            session.trust_env = False
            if who.trust is not None:
                session.mount("https://", PinnedAdapter(who.trust.context()))
            if who.secret is not None:
                session.auth = (config.box, who.secret)
            alive = session.get(f"{url}/healthz", timeout=_HTTP_DEADLINE_S, verify=verify)
            if alive.status_code not in (200, 503):
                return Finding("collector", False, "collector_strange", {"url": url})
            known = session.head(
                f"{url}/upload/{_NO_CLIP}",
                headers={"Tus-Resumable": "1.0.0"},
                timeout=_HTTP_DEADLINE_S,
                verify=verify,
            )
    except requests.exceptions.SSLError as error:
        return Finding("collector", False, "collector_tls", {"url": url, "reason": tls_reason(error)})
    except requests.RequestException as error:
        return Finding("collector", False, "collector_gone", {"url": url, "reason": type(error).__name__})
    if known.status_code in (401, 403) and who.secret is None:
        return Finding("collector", False, "collector_certificate", {"url": url})
    if known.status_code in (401, 403):
        return Finding("collector", False, "collector_secret", {"url": url})
    if known.status_code != 404:
        return Finding("collector", False, "collector_no_clips", {"url": url, "status": known.status_code})
    return Finding("collector", True, "collector_ok", {"url": url})


def check_identity(identity: Identity, clock: Clock) -> Finding:
    """Whose certificate is here, and until when."""
    box, ends_ms = identity.facts.box, identity.not_after_ms()
    ends = time.strftime("%Y-%m-%d", time.gmtime(ends_ms / 1000))
    if ends_ms <= max(clock.wall_ms(), identity.not_before_ms()):
        return Finding("identity", False, "identity_ended", {"box": box, "ends": ends})
    return Finding("identity", True, "identity_ok", {"box": box, "ends": ends})


def check_disk(config: EdgeConfig) -> Finding:
    """Can the data folder be written, and is there room."""
    folder = config.data
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("disk", False, "disk_closed", {"folder": config.data})
    usage = shutil.disk_usage(folder)
    keep = max(config.disk.keep_free, round(config.disk.keep_free_share * usage.total))
    room = {"free": _gib(usage.free), "total": _gib(usage.total), "folder": config.data, "keep": _gib(keep)}
    if usage.free <= keep:
        return Finding("disk", False, "disk_full", room)
    return Finding("disk", True, "disk_ok", room)


def check_clock(clock: Clock) -> Finding:
    """Is the wall clock to be believed."""
    state = clock.state()
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(clock.wall_ms() / 1000))
    return Finding("clock", state != "unset", f"clock_{state}", {"now": now})


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
