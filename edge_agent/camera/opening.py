"""Opens the demuxer for each kind of source, and turns its errors into words: what, where (redacted), what to do.

Rules: a source of one kind may open nothing of another kind (a hostile playlist names files or hosts), and no error
text of the library gets out, since it may hold the URL with its password.
"""

import errno
import socket
import stat
import time
from pathlib import Path
from typing import Protocol

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, Reason

_MAX_PIXELS = 8192 * 8192


class OpenDeadlines(Protocol):
    """Seconds allowed for opening and for each read."""

    @property
    def open_s(self) -> float: ...

    @property
    def read_s(self) -> float: ...


class Stoppable(Protocol):
    """Whether the program wishes to end."""

    def is_set(self) -> bool: ...


def open_container(address: SourceAddress, deadlines: OpenDeadlines, stop: Stoppable) -> InputContainer:
    """Open `address` or raise `CameraUnavailable`."""
    tries: list[tuple[str | None, dict[str, str]]]
    if address.kind == "usb":
        _look_at_device(address)
        # The camera's own compressed pictures first: they can be recorded by copying.
        tries = [("v4l2", {"input_format": "h264"}), ("v4l2", {"input_format": "mjpeg"}), ("v4l2", {})]
    elif address.kind == "rtsp":
        socket_us = str(round(max(deadlines.open_s, deadlines.read_s) * 1e6))
        tries = [
            (
                "rtsp",
                {
                    "rtsp_transport": "tcp",
                    "allowed_media_types": "video",
                    "timeout": socket_us,
                    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls",
                    "analyzeduration": "3000000",
                    "fpsprobesize": "0",  # or it opens only after 3 s: measured 2.98 s against 0.3 s
                    "user_agent": "VongGac",
                },
            )
        ]
    elif address.kind == "http":
        tries = [
            (
                None,
                {
                    "rw_timeout": str(round(max(deadlines.open_s, deadlines.read_s) * 1e6)),
                    "protocol_whitelist": "http,https,tcp,tls,httpproxy",
                    "analyzeduration": "3000000",
                    "user_agent": "VongGac",
                },
            )
        ]
    else:
        _look_at_file(address)
        tries = [(None, {"protocol_whitelist": "file"})]
    for format_name, options in tries[:-1]:
        try:
            return _open(address, format_name, options, deadlines)
        except (av.error.FFmpegError, OSError, ValueError):
            if stop.is_set():
                break
    began = time.monotonic()
    try:
        return _open(address, *tries[-1], deadlines)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # The RTSP demuxer calls it invalid data when the deadline interrupts it.
        late = isinstance(error, av.error.InvalidDataError) and time.monotonic() - began >= deadlines.open_s
        raise explain(TimeoutError() if late else error, address, deadlines.open_s, opened=False) from None


def _open(
    address: SourceAddress, format_name: str | None, options: dict[str, str], deadlines: OpenDeadlines
) -> InputContainer:
    # "file:" keeps a path that looks like a URL a path.
    target = f"file:{address.target}" if address.kind == "file" else address.target
    return av.open(
        target,
        "r",
        format=format_name,
        container_options=options,
        timeout=(deadlines.open_s, deadlines.read_s),
        metadata_errors="replace",
    )


def _look_at_file(address: SourceAddress) -> None:
    path = Path(address.target)
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise _refusal(address, "not_video", "is a folder, not a video file: name a file in it")
        if not stat.S_ISREG(kind):
            raise _refusal(address, "not_video", "is not a regular file: name a video file")
        if path.stat().st_size == 0:
            raise _refusal(address, "not_video", "is empty: was it copied to its end?")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise _refusal(address, "unreachable", "does not exist: check the path") from None
    except PermissionError:
        raise _refusal(address, "unauthorised", "may not be read by this program: check its owner and mode") from None
    except OSError as error:
        raise _refusal(address, "unreachable", f"cannot be read ({_of_system(error)})") from None


def _look_at_device(address: SourceAddress) -> None:
    path = Path(address.target)
    if not path.exists():
        raise _refusal(address, "unreachable", f"is not there (no {address.target}): check the plug and the number")
    if not stat.S_ISCHR(path.stat().st_mode):
        raise _refusal(address, "not_video", f"is no camera: {address.target} is not a device")


def video_stream(container: InputContainer, address: SourceAddress) -> VideoStream:
    """The first stream that is video (a cover picture in a sound file is none); raises `CameraUnavailable`."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        if container.streams.audio:
            raise _refusal(address, "not_video", "holds sound but no video")
        raise _refusal(address, "not_video", "holds no video that this program understands")
    stream = streams[0]
    context = stream.codec_context
    if context is None or not 0 < context.width * context.height <= _MAX_PIXELS:
        raise _refusal(address, "not_video", "announces video but no picture could be read from it")
    return stream


def sign_in_refused(address: SourceAddress) -> CameraUnavailable:
    """The camera wants another user name or password."""
    return _refusal(address, "unauthorised", "refuses the user name or password: check both")


def explain(error: Exception, address: SourceAddress, deadline_s: float, *, opened: bool) -> CameraUnavailable:
    """The library's error in our words. Nothing of its own text gets through but the system's error name."""
    late = "stopped sending" if opened else "did not answer with video"
    if isinstance(error, (av.error.ExitError, av.error.TimeoutError, TimeoutError)) or _number(error) in _LATE:
        return _refusal(address, "timeout", f"{late} within {deadline_s:g} s: check its network and its power")
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return sign_in_refused(address)
    if isinstance(error, av.error.HTTPNotFoundError):
        return _refusal(address, "refused", "answers, but does not know this path: check the part after the host")
    if isinstance(error, av.error.HTTPError):
        return _refusal(address, "refused", "answers with an error of its own: check the path, or restart the camera")
    if _number(error) == errno.ECONNREFUSED:
        return _refusal(address, "refused", "refuses the connection: check the port, and that the service is on")
    if _number(error) in _NO_WAY:
        return _refusal(address, "unreachable", "cannot be reached: check the address, the cable and the power")
    if _number(error) == errno.EBUSY:
        return _refusal(address, "refused", "is in use by another program: close that one")
    if address.kind == "usb" and _number(error) in (errno.ENOTTY, errno.EINVAL):
        return _refusal(address, "not_video", "is a device, but not a camera that gives pictures: try another number")
    if address.kind == "usb" and isinstance(error, av.error.PermissionError):
        return _refusal(address, "unauthorised", "may not be opened: add this program's user to the group 'video'")
    if isinstance(error, av.error.EOFError) or _number(error) in _CUT:
        return _refusal(address, "ended", "closed the connection: it may be restarting, or have too many viewers")
    if isinstance(error, av.error.InvalidDataError):
        if opened:
            return _refusal(address, "not_video", "sends data that is not video any more")
        return _refusal(address, "not_video", "is not a video that can be understood: half-written, or another kind")
    if address.kind in ("rtsp", "http") and not opened and not _resolves(address):
        return _refusal(address, "unreachable", "has a host name that nobody knows: check the spelling, or the DNS")
    if isinstance(error, OSError) and address.kind != "file":
        return _refusal(address, "unreachable", f"cannot be read ({_of_system(error)})")
    return _refusal(address, "not_video", "gave no video; the demuxer does not say why")


_LATE = (errno.ETIMEDOUT, errno.EAGAIN)
_NO_WAY = (
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOENT,
)
_CUT = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)


def _resolves(address: SourceAddress) -> bool:
    host = address.redacted.partition("//")[2].partition("/")[0].rpartition("@")[2]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True


def _number(error: Exception) -> int | None:
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) else None


def _of_system(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "unknown error")


def _refusal(address: SourceAddress, reason: Reason, what: str) -> CameraUnavailable:
    noun = {"file": "The file", "usb": "The USB camera", "rtsp": "The camera", "http": "The camera"}[address.kind]
    end = "" if what.endswith("?") else "."
    return CameraUnavailable(reason, f"{noun} {address.redacted} {what}{end}")


def ended(address: SourceAddress) -> str:
    """Words for a stream that came to its end."""
    if address.kind == "file":
        return f"The file {address.redacted} was played to its end: add ?loop=1 to repeat it."
    return f"The camera {address.redacted} ended its stream."


def changed(address: SourceAddress) -> str:
    """Words for a stream that became another one."""
    return f"The camera {address.redacted} changed its stream (size or codec): it is opened anew."


def undecodable(address: SourceAddress) -> str:
    """Words for a packet that gives no picture."""
    return f"A packet of {address.redacted} cannot be decoded: the network may lose data."
