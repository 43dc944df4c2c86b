"""What the way up may raise, named by what the caller should do."""

from vonggac.wire.messages import NotDone


class UplinkUnavailable(Exception):
    """The road or the server is not there now: try again later. `after_s` is the server's own wish, if it gave one."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class UplinkRefused(Exception):
    """The server does not let this box in: tell, and try again rarely; a person has to mend it."""


class ItemRefused(Exception):
    """The server will never take this item, or the card no longer gives it: park it and tell."""


class ClipGone(Exception):
    """The clip's file went while it was being sent: the disk budget took it, or somebody did."""


class UploadExpired(Exception):
    """The server no longer knows the begun upload: begin anew."""


class CommandRefused(Exception):
    """A command cannot be done; the text is the reply's error, `code` the same in one word."""

    def __init__(self, code: NotDone, message: str) -> None:
        super().__init__(message)
        self.code: NotDone = code
