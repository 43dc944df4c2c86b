"""Names and identifiers that travel: box and camera names, UUIDv7."""

import re
import uuid

BOX_ID = re.compile(r"[a-z0-9-]{3,40}")
CAMERA_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def is_box_id(text: str) -> bool:
    """True for `[a-z0-9-]{3,40}`: fit to be an MQTT topic level, user name and certificate CN."""
    return BOX_ID.fullmatch(text) is not None


def is_camera_name(text: str) -> bool:
    """True for 1–40 characters of `[a-z0-9_-]` that begin with a letter or digit: fit to be a folder name."""
    return CAMERA_NAME.fullmatch(text) is not None


def uuid7(wall_ms: int, random_bytes: bytes) -> str:
    """RFC 9562 §5.7: 48 bits of Unix milliseconds, then version, variant and 74 bits of `random_bytes` (10 bytes).

    >>> uuid7(1_645_557_742_000, bytes(10))
    '017f22e2-79b0-7000-8000-000000000000'
    """
    if len(random_bytes) != 10:
        raise ValueError(f"uuid7 needs 10 random bytes, got {len(random_bytes)}")
    value = (wall_ms & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(random_bytes, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def is_uuid(text: str) -> bool:
    """True for a UUID in its 36-character lower-case form: what names episodes, clips and messages."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
