"""Why a camera gives no pictures, in a form for programs (`reason`) and one for people (the message)."""

from vonggac.wire.messages import NoPicture as Reason

__all__ = ["CameraUnavailable", "NeedsDemuxer", "Reason"]


class CameraUnavailable(Exception):
    """Retry later. The message says what, where (never a password) and what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class NeedsDemuxer(CameraUnavailable):
    """The same, and from now on only FFmpeg's own client is to be tried: the stream is not of the ordinary kind."""
