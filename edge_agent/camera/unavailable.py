"""Why a camera gives no pictures, in a form for programs (`reason`) and one for people (the message)."""

from typing import Literal

Reason = Literal[
    "unreachable",  # no route, no such host, no such device or file
    "refused",  # something answered and said no: closed port, 404, busy device
    "unauthorised",  # user name or password
    "timeout",  # a deadline of ours passed: it accepted and then sent nothing
    "not_video",  # it sent something, but no video that can be understood
    "ended",  # the stream closed, or the file came to its end
    "changed",  # the stream became another one (size, codec) and has to be opened anew
    "decode",  # packets come, pictures do not
]


class CameraUnavailable(Exception):
    """Retry later. The message says what, where (never a password) and what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class NeedsDemuxer(CameraUnavailable):
    """The same, and from now on only FFmpeg's own client is to be tried: the stream is not of the ordinary kind."""
