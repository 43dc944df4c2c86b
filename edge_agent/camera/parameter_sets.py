"""Looks into packets: parameter sets, to notice that a stream became another one, and where a picture begins. PURE.

Sources: ITU-T H.264 7.3.1, 7.3.3 and Annex B, H.265 7.3.1.2, 7.3.6.1 and Annex B. Length-prefixed (MP4) packets are not
looked into: a file says its parameters once.
"""

_START = b"\x00\x00\x01"
_LOOKED_AT_BYTES = 4096  # parameter sets stand before the slices; a key frame may be megabytes


def parameter_sets(codec: str, data: bytes) -> frozenset[bytes]:
    """The different SPS (and H.265 VPS) of one Annex B packet: cameras repeat them, even within a packet."""
    if codec not in ("h264", "hevc") or not data.startswith((_START, b"\x00" + _START)):
        return frozenset()
    found = set()
    for unit in data[:_LOOKED_AT_BYTES].split(_START)[1:]:
        if not unit:
            continue
        kind = unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F
        if kind in ((7,) if codec == "h264" else (32, 33)):
            found.add(unit.rstrip(b"\x00"))
        elif kind in ((1, 5) if codec == "h264" else tuple(range(32))):
            break
    return frozenset(found)


def continues_picture(codec: str, data: bytes) -> bool:
    """Whether an Annex B packet begins in the middle of a picture: its first slice is not the picture's first."""
    if codec not in ("h264", "hevc") or not data.startswith((_START, b"\x00" + _START)):
        return False
    for unit in data[:_LOOKED_AT_BYTES].split(_START)[1:]:
        header = 1 if codec == "h264" else 2
        if len(unit) <= header:
            continue
        kind = unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F
        if kind in ((1, 5) if codec == "h264" else tuple(range(32))):
            # first_mb_in_slice 0 is coded as a single 1; so is first_slice_segment_in_pic_flag
            return not unit[header] & 0x80
    return False
