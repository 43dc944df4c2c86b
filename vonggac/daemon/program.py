"""The life of a program: signals set a flag, the main thread feeds the watchdog, the exit code tells systemd."""

import signal
import sys
import types
from typing import NoReturn

from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.logs import get_logger
from vonggac.daemon.systemd import Notifier
from vonggac.daemon.threads import Crew, Stop

log = get_logger(__name__)

_TURNS_EVERY_S = 4.0
EXIT_CONFIG = 78
"""sysexits.h EX_CONFIG: the configuration is wrong; systemd does not start the program again."""


def refuse_config(error: ConfigInvalid) -> NoReturn:
    """Print every mistake to stderr, a line each, and exit 78."""
    for line in error.lines:
        sys.stderr.write(f"{line}\n")
    raise SystemExit(EXIT_CONFIG)


def stop_on_signals(stop: Stop) -> None:
    """SIGTERM and SIGINT ask to end; a second one ends at once."""

    def ask(number: int, _frame: types.FrameType | None) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        stop.set(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def watch(stop: Stop, crew: Crew, notifier: Notifier) -> None:
    """Block the main thread until the end is asked for; feed the watchdog only while every thread moves."""
    stalled_before: list[str] = []
    while not stop.wait(min(_TURNS_EVERY_S, notifier.feed_every_s)):
        stalled = crew.stalled()
        if stalled != stalled_before:
            log.error("threads stand still; the watchdog is not fed", threads=stalled)
            stalled_before = stalled
        if not stalled:
            notifier.feed_watchdog()
    notifier.stopping(stop.reason)
    log.info("stopping", reason=stop.reason)
