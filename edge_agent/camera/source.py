"""Where a camera's pictures come from, read from one line of configuration. PURE.

Rule: a password never leaves by str, repr, log or error.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self
from urllib.parse import SplitResult, parse_qs, quote, urlsplit, urlunsplit

Kind = Literal["rtsp", "usb", "http", "file"]
_NETWORK: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HINT = "Write rtsp://HOST/PATH, usb:0, http://HOST/PATH or the path of a video file (with ?loop=1 to repeat it)."


@dataclass(frozen=True)
class SourceAddress:
    """`target` is what the demuxer opens and may hold a password; `redacted` is the same for eyes and logs."""

    kind: Kind
    target: str = field(repr=False)
    redacted: str
    loop: bool = False

    def __str__(self) -> str:
        return self.redacted

    @classmethod
    def parse(cls, text: str, user: str = "", password: str = "") -> Self:
        """Read an address, its sign-in perhaps apart from it. ValueError says what is wrong, without secrets."""
        text = text.strip()
        if not text:
            raise ValueError(f"The camera's source is empty. {_HINT}")
        if _CONTROL.search(text):
            raise ValueError(f"The camera's source holds a control character. {_HINT}")
        found = _SCHEME.match(text)
        scheme = found.group(1).lower() if found else ""
        if scheme in _NETWORK:
            return cls._network(text, _NETWORK[scheme], user, password)
        if user or password:
            raise ValueError("A user or password fits only rtsp:// and http:// sources: remove it.")
        if scheme == "usb":
            return cls._usb(text)
        if scheme == "file" and text.lower().startswith("file://"):
            return cls._file(text[len("file://") :])
        if found and text[found.end() :].startswith("//"):
            raise ValueError(f"A source of the kind {scheme}:// is not known. {_HINT}")
        return cls._file(text)

    @classmethod
    def _network(cls, text: str, kind: Kind, user: str, password: str) -> Self:
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"The host or port in the camera's address cannot be read. {_HINT}") from None
        if not host:
            raise ValueError(f"The camera's address names no host. {_HINT}")
        if parts.username and user:
            raise ValueError("The user stands both in the address and in its own option: keep the option only.")
        where = f"[{host}]" if ":" in host else host
        where += f":{port}" if port else ""
        if user or password:
            sign_in = f"{quote(user, safe='')}:{quote(password, safe='')}"
        else:
            sign_in = parts.netloc.rpartition("@")[0]
            _, colon, secret = sign_in.partition(":")
            if any(unsafe in secret for unsafe in "@/"):
                raise ValueError("The password in the address holds @ or /: give it by its own option instead.")
            sign_in = sign_in if colon or not sign_in else f"{sign_in}:"
        target = parts._replace(netloc=f"{sign_in}@{where}" if sign_in else where, fragment="")
        return cls(kind, urlunsplit(target), _redact(parts, where, bool(sign_in)))

    @classmethod
    def _usb(cls, text: str) -> Self:
        rest = text[len("usb:") :]
        device = rest if rest.startswith("/dev/") else f"/dev/video{rest}"
        if not (rest.isdecimal() or re.fullmatch(r"/dev/[\w./:-]+", rest)) or ".." in rest:
            raise ValueError("A USB camera is written usb:0 (for /dev/video0), usb:1, … or usb:/dev/v4l/by-id/NAME.")
        return cls("usb", device, f"usb:{rest}")

    @classmethod
    def _file(cls, text: str) -> Self:
        path, mark, query = text.rpartition("?")
        if not mark or "=" not in query:
            return cls("file", str(Path(text).expanduser()), text)
        options = parse_qs(query, keep_blank_values=True)
        unknown = sorted(set(options) - {"loop"})
        if unknown:
            raise ValueError(f"A file source knows only ?loop=1, not {unknown[0]!r}.")
        if options["loop"][-1] not in ("0", "1"):
            raise ValueError("A file source takes ?loop=1 or ?loop=0.")
        return cls("file", str(Path(path).expanduser()), text, loop=options["loop"][-1] == "1")


def _redact(parts: SplitResult, where: str, signed_in: bool) -> str:
    """Scheme, host and path stay; sign-in and the values of the query (cameras take passwords there) go."""
    query = "&".join(f"{pair.partition('=')[0]}=***" if "=" in pair else pair for pair in parts.query.split("&"))
    netloc = f"***@{where}" if signed_in else where
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))
