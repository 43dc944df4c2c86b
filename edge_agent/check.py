"""`edge-agent check`: what an installer must know before leaving, a line each, in plain words.

Each check tries the real thing once, within a deadline, and says what is wrong and what to do; none changes anything.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from edge_agent.camera.reader import Deadlines, open_reader
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable
from edge_agent.config import CameraSection, EdgeConfig
from edge_agent.identity.credentials import Credentials
from edge_agent.identity.exchange import PinnedAdapter, tls_reason
from edge_agent.identity.folder import Identity
from edge_agent.uplink.link import Connected, Disconnected, Link
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.threads import Stop

_HTTP_DEADLINE_S = 10.0
_BROKER_DEADLINE_S = 20.0
_LOOK_S = 6.0
_NO_CLIP = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Finding:
    """One line: `part` ("camera gate"), whether it is well, and what was found or has to be done."""

    part: str
    ok: bool
    text: str


def check_cameras(config: EdgeConfig, clock: Clock) -> Iterator[Finding]:
    """Open every stream of every camera and look at its first seconds."""
    for camera in config.cameras:
        for stream, source in (("main", camera.source), ("sub", camera.sub)):
            if source is not None:
                yield _check_stream(camera, stream, source, clock)


def _check_stream(camera: CameraSection, stream: str, source: str, clock: Clock) -> Finding:
    part = f"camera {camera.name} ({stream})"
    try:
        address = camera.address(source)
        return Finding(part, True, _look(address, Deadlines(camera.open_deadline, camera.read_deadline), clock))
    except CameraUnavailable as error:
        return Finding(part, False, str(error))
    except ConfigInvalid as error:
        return Finding(part, False, str(error))


def _look(address: SourceAddress, deadlines: Deadlines, clock: Clock) -> str:
    began = time.monotonic()
    packets = pictures = size_bytes = 0
    first_ms = last_ms = 0.0
    reader = open_reader(address, deadlines, clock, Stop())
    try:
        for packet in reader.packets():
            packets += 1
            size_bytes += len(packet.data)
            first_ms, last_ms = first_ms or packet.mono_ms, packet.mono_ms
            pictures += len(reader.decode(packet))
            if time.monotonic() - began > _LOOK_S:
                break
    except CameraUnavailable as end:
        if end.reason != "ended" or not pictures:
            raise
    finally:
        reader.close()
    if not pictures:
        raise CameraUnavailable("decode", f"{address}: packets come, but no picture. Set the camera to H.264 or H.265")
    span_s = max(0.001, (last_ms - first_ms) / 1000)
    info = reader.info
    recorded = "" if info.recordable else "; looked at but not recordable: set the camera to H.264, H.265 or MJPEG"
    return (
        f"picture {info.width}x{info.height} {info.codec}, {(packets - 1) / span_s:.1f} frames/s, "
        f"{size_bytes * 8 / span_s / 1000:.0f} kbit/s{recorded}"
    )


def check_broker(link: Link, where: str) -> Finding:
    """Connect and sign in once."""
    deadline = time.monotonic() + _BROKER_DEADLINE_S
    link.connect()
    try:
        while time.monotonic() < deadline:
            for news in link.wait(0.2):
                if isinstance(news, Connected):
                    return Finding("broker", True, f"{where} took us, {news.protocol}")
                if isinstance(news, Disconnected) and news.refused:
                    return Finding(
                        "broker", False, f"{where} refused us: {news.reason}. Check broker.password_file and the box id"
                    )
                if isinstance(news, Disconnected):
                    return Finding(
                        "broker", False, f"{where} cannot be reached: {news.reason}. Check broker.host and broker.port"
                    )
    finally:
        link.close()
    return Finding("broker", False, f"{where} did not answer as an MQTT broker does. Check broker.host and broker.port")


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
                return Finding("collector", False, f"{url} answers, but is no collector. Check collector.url")
            known = session.head(
                f"{url}/upload/{_NO_CLIP}",
                headers={"Tus-Resumable": "1.0.0"},
                timeout=_HTTP_DEADLINE_S,
                verify=verify,
            )
    except requests.exceptions.SSLError as error:
        return Finding("collector", False, f"{url}: TLS fails: {tls_reason(error)}. Check collector.url and the clock")
    except requests.RequestException as error:
        return Finding("collector", False, f"{url} cannot be reached ({type(error).__name__}). Check collector.url")
    if known.status_code in (401, 403) and who.secret is None:
        return Finding("collector", False, f"{url} does not let this box's certificate in. Do `collector box replace`")
    if known.status_code in (401, 403):
        return Finding("collector", False, f"{url} does not know this box or its secret. Do `collector box add` again")
    if known.status_code != 404:
        return Finding("collector", False, f"{url} takes no clips (HTTP {known.status_code}). Check collector.url")
    return Finding("collector", True, f"{url} answers and knows this box")


def check_identity(identity: Identity, clock: Clock) -> Finding:
    """Whose certificate is here, and until when."""
    box, ends_ms = identity.facts.box, identity.not_after_ms()
    ends = time.strftime("%Y-%m-%d", time.gmtime(ends_ms / 1000))
    if ends_ms <= max(clock.wall_ms(), identity.not_before_ms()):
        return Finding(
            "identity", False, f"certificate of {box} ended {ends}. On the server: collector box replace {box}"
        )
    return Finding("identity", True, f"certificate of {box}, until {ends}; it renews by itself")


def check_disk(config: EdgeConfig) -> Finding:
    """Can the data folder be written, and is there room."""
    folder = config.data
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("disk", False, f"{config.data} cannot be written by this user. Check its owner")
    usage = shutil.disk_usage(folder)
    keep = max(config.disk.keep_free, round(config.disk.keep_free_share * usage.total))
    room = f"{_gib(usage.free)} free of {_gib(usage.total)} at {config.data}"
    if usage.free <= keep:
        return Finding("disk", False, f"{room}; {_gib(keep)} must stay free. Make room or take a larger card")
    return Finding("disk", True, room)


def check_clock(clock: Clock) -> Finding:
    """Is the wall clock to be believed."""
    state = clock.state()
    now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(clock.wall_ms() / 1000))
    if state == "unset":
        return Finding("clock", False, f"{now}: not set since start. Connect the network (NTP) or set it by hand")
    words = {"synced": "synchronised", "holdover": "not synchronised now; runs on from its battery or an earlier sync"}
    return Finding("clock", True, f"{now}, {words[state]}")


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
