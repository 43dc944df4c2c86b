"""What a camera says of its video in answer to DESCRIBE. PURE. Source: RFC 4566, RFC 6184 8.2, RFC 7798 7.1."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.camera.rtp import Unfamiliar

_CODECS = {"H264/90000": "h264", "H265/90000": "hevc"}
_START = b"\x00\x00\x00\x01"


@dataclass(frozen=True, slots=True)
class VideoOffer:
    """The first video of a session; `parameter_sets` as Annex B, b"" where they are not told here."""

    codec: str
    session_control: str
    control: str
    parameter_sets: bytes


def first_video(text: str) -> VideoOffer:
    """Raises Unfamiliar where there is none, or it is neither H.264 nor H.265 in the order of time."""
    session, *others = text.replace("\r", "").split("\nm=")
    video = next((media for media in others if media.startswith("video ")), "")
    media, *lines = video.split("\n")
    formats = media.split()[3:]
    if not formats:
        raise Unfamiliar("no video is announced")
    own = [
        value for number, _, value in (line.partition(" ") for line in _told(lines, "rtpmap")) if number == formats[0]
    ]
    codec = _CODECS.get(own[0].strip().upper()) if own else None
    parameters = {
        name.strip().lower(): value.strip()
        for number, _, rest in (line.partition(" ") for line in _told(lines, "fmtp"))
        for name, _, value in (pair.partition("=") for pair in rest.split(";"))
        if number == formats[0]
    }
    if codec is None or parameters.get("packetization-mode") == "2" or parameters.get("sprop-max-don-diff", "0") != "0":
        raise Unfamiliar("the video is neither H.264 nor H.265 in the order of time")
    names = ("sprop-parameter-sets",) if codec == "h264" else ("sprop-vps", "sprop-sps", "sprop-pps")
    sets = [one for name in names for one in parameters.get(name, "").split(",") if one]
    try:
        units = [base64.b64decode(one + "=" * (-len(one) % 4), validate=True) for one in sets]
    except binascii.Error:
        units = []  # they also stand before each key frame
    return VideoOffer(
        codec,
        next(_told(session.split("\n"), "control"), ""),
        next(_told(lines, "control"), ""),
        b"".join(_START + unit for unit in units),
    )


def _told(lines: list[str], name: str) -> Iterator[str]:
    return (line.removeprefix(f"a={name}:").strip() for line in lines if line.startswith(f"a={name}:"))
