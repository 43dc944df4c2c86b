"""Cameras in this network by ONVIF: who answers a WS-Discovery probe, what it is, which streams it has.

Rules: what a device says of its streams' addresses is taken at the address where it was asked; a password goes out
hashed (WS-Security digest, HTTP Digest) and never as it is; every answer is bounded in size and time (the library's
work); a device that makes no sense is told with its reason and does not stop the others.
"""

import fcntl
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from onveef import OnvifClient, wsdiscovery
from onveef.exceptions import OnvifAuthError, OnvifError

_SIOCGIFADDR = 0x8915
_ASK_S = 6.0
_MOST_DEVICES = 64
_MOST_STREAMS = 12
_LONGEST = 120


@dataclass(frozen=True)
class Stream:
    """One profile of a camera. `url` holds no login; sizes in pixels, `kbps` and `fps` as the camera is set."""

    name: str
    url: str
    codec: str
    width: int | None
    height: int | None
    fps: int | None
    kbps: int | None
    key_frame_every: int | None


@dataclass(frozen=True)
class Device:
    """A camera that answered. `problem` says why no more is known of it."""

    host: str
    service: str
    name: str
    maker: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    streams: tuple[Stream, ...] = ()
    problem: str | None = None


def look(seconds: float, interfaces: tuple[str, ...] = ()) -> list[Device]:
    """Who answers a probe within so long, by address; from every interface, or from those with these addresses."""
    found: dict[str, Device] = {}
    for each in wsdiscovery.discover(timeout_s=seconds, interface_ip=list(interfaces or own_addresses())):
        try:
            parts = urlsplit(each.device_service)
        except ValueError:  # an answer that leads nowhere
            continue
        if parts.scheme in ("http", "https") and parts.hostname:
            found.setdefault(each.device_service, Device(parts.hostname, each.device_service, _short(each.name)))
    return sorted(found.values(), key=lambda device: device.host)[:_MOST_DEVICES]


def ask(device: Device, user: str, password: str) -> Device:
    """The same device with all that it tells of itself; `problem` is set where it does not."""
    try:
        with OnvifClient(
            device.service, username=user, password=password, timeout_s=_ASK_S, verify_tls=False, http_auth="digest"
        ) as client:
            told = client.get_device_information()
            known = Device(
                host=device.host,
                service=device.service,
                name=device.name,
                maker=_short(told.get("Manufacturer", "")),
                model=_short(told.get("Model", "")),
                serial=_short(told.get("SerialNumber", "")),
                firmware=_short(told.get("FirmwareVersion", "")),
            )
            try:
                streams = tuple(_streams(client, device.host))
            except OnvifError as error:
                return _with_problem(known, error)
            except ValueError as error:
                return replace(known, problem=_short(f"its stream's address makes no sense: {error}"))
            return Device(**{**vars(known), "streams": streams})
    except OnvifError as error:
        return _with_problem(device, error)


def _with_problem(device: Device, error: OnvifError) -> Device:
    text = _short(str(error)) or type(error).__name__
    reason = "login" if isinstance(error, OnvifAuthError) or "not authorized" in text.lower() else text
    return Device(**{**vars(device), "problem": reason})


def _streams(client: OnvifClient, host: str) -> Iterator[Stream]:
    for profile in client.get_profiles()[:_MOST_STREAMS]:
        encoder = profile.get("video_encoder") or {}
        url = client.get_stream_uri(profile_token=profile["token"])
        yield Stream(
            name=_short(profile.get("name") or profile["token"]),
            url=_plain(url, host),
            codec=_short(encoder.get("encoding", "")),
            width=encoder.get("width"),
            height=encoder.get("height"),
            fps=encoder.get("fps_limit"),
            kbps=encoder.get("bitrate_kbps"),
            key_frame_every=encoder.get("gop"),
        )


def _plain(url: str, host: str) -> str:
    """At the address where the camera is, without a login."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port and parts.port != 554 else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, parts.query, ""))[:500]


def _short(text: str) -> str:
    """As a line on a screen takes it: a camera's word may hold anything."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()[:_LONGEST]


def own_addresses() -> tuple[str, ...]:
    """An IPv4 address of each interface but the loopback's."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _index, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
            except OSError:  # it has none
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return tuple(each for each in found if not each.startswith("127."))
