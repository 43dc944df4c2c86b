"""How people write durations, sizes and times of day: `30s`, `2h`, `20GiB`, `22:30`."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]i?)?B?")
_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def parse_duration_s(text: str) -> float:
    """`90s`, `1.5m`, `2h`, `7d`, `250ms` or plain seconds."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no duration; write 30s, 5m, 2h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size_bytes(text: str) -> int:
    """`500MB`, `20GiB` or plain bytes."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size; write 500MB or 20GiB")
    return int(float(match[1]) * _BYTES[match[2] or ""])


def parse_minute_of_day(text: str) -> int:
    """`22:30` → 1350; `24:00` is the end of the day."""
    match = _TIME.fullmatch(text.strip())
    if not match or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise ValueError(f"{text!r} is no time of day; write 22:30")
    return int(match[1]) * 60 + int(match[2])
