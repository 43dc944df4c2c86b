"""What every handler of the web stands on, and what a handler is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from collector.alerts.calendar import PLAIN, Calendar
from collector.alerts.rules import Rule
from collector.playback.copies import Copies
from collector.store.database import Database
from collector.store.kept import Kept
from collector.web.formats import Formats
from collector.web.live import Live
from collector.web.passwords import Passwords
from collector.web.rights import Identity
from collector.web.wording import Wording
from vonggac.daemon.clock import Clock


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """What the configuration says about pages, sessions and alerts. `secure` is True behind https."""

    zone: tzinfo
    secure: bool = False
    session_idle_s: int = 12 * 3600
    session_longest_s: int = 7 * 24 * 3600
    rules: tuple[Rule, ...] = ()
    channels: tuple[str, ...] = ("screen",)
    calendar: Calendar = PLAIN


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The parts that handlers use."""

    database: Database
    data_folder: Path
    settings: WebSettings
    clock: Clock
    passwords: Passwords
    live: Live
    templates: Mapping[str, Environment]
    """By language."""
    wordings: Mapping[str, Wording]
    copies: Copies
    drawn: Kept = field(default_factory=Kept)
    """Pieces of pages that are long and seldom change."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, after the guard let it through. `identity` is None on public routes without a session."""

    request: Request
    now_ms: int
    words: Wording
    formats: Formats
    identity: Identity | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""  # of routes that take a picture
    change: int | None = None  # the newest change when it came: whoever listens afterwards begins there

    @property
    def who(self) -> Identity:
        """Whoever asks. Only for routes that are not public."""
        if self.identity is None:
            raise RuntimeError("a handler of a public route asked who is there")
        return self.identity


Handler = Callable[[Desk, Asked], Response]
"""Answers in a worker thread: it may wait for the database."""
