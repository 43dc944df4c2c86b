"""Renewing the certificate with a new key, long before it ends, in a thread of its own.

Rules: asked for when a third of its life is left, or at once when the file says so; the new key is on the disk before
the server hears of it; key and certificate are replaced in one step; then the box says hello with the new certificate,
by which the server ends the old one. Whatever fails is tried again, and the old certificate serves until then. A clock
that was never set is asked all the same: renewing too early costs little (the server bounds how often), too late locks
the box out.
"""

from edge_agent.identity import exchange
from edge_agent.identity import folder as files
from edge_agent.identity.folder import Identity
from edge_agent.identity.trust import Trust
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop
from vonggac.wire.enrolment import RENEW_PATH, RenewRequest, encode

log = get_logger(__name__)

LOOK_EVERY_S = 3600.0
STALL_S = 180.0
WARN_MS = 30 * 86_400_000
_FIRST_RETRY_S, _LONGEST_RETRY_S = 30.0, 3600.0


class Renewer:
    """The thread `identity`; `advance` is the step that `run` repeats."""

    def __init__(self, identity: Identity, trust: Trust, clock: Clock, stop: Stop) -> None:
        self._identity = identity
        self._clock = clock
        self._trust = trust
        self._stop = stop
        self._backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        self._is_unsaid = True

    def run(self, pulse: Pulse) -> None:
        """Until asked to stop."""
        wait_s = 0.0
        while not self._stop.wait(min(1.0, wait_s)):
            pulse.beat()
            wait_s -= 1.0
            if wait_s <= 0:
                wait_s = self.advance()

    def advance(self) -> float:
        """Look, and do what is due; returns the seconds until the next look."""
        try:
            if self._is_due():
                self._renew()
            if self._is_unsaid:
                exchange.whoami(self._trust.context(), self._identity.facts.url)
                self._is_unsaid = False
        except exchange.NoAnswer as error:
            return self._put_off("certificate cannot be renewed now; trying again", str(error), is_serious=False)
        except (exchange.AnswerRefused, ConfigInvalid, OSError) as error:
            return self._put_off("the server refuses this box's certificate; trying again", str(error), is_serious=True)
        self._backoff.reset()
        return LOOK_EVERY_S

    def _is_due(self) -> bool:
        certificate = self._identity.certificate()
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        return self._left_ms() < life.total_seconds() * 1000 / 3

    def _left_ms(self) -> int:
        return self._identity.not_after_ms() - max(self._clock.wall_ms(), self._identity.not_before_ms())

    def _renew(self) -> None:
        box, folder = self._identity.facts.box, self._identity.folder
        key = files.next_key(folder)
        request = RenewRequest(csr=files.csr_pem(files.make_csr(key, box)))
        issued = exchange.ask(self._trust.context(), f"{self._identity.facts.url}{RENEW_PATH}", encode(request))
        if not files.fits(issued.certificate, key, box):
            raise exchange.AnswerRefused("the server's certificate is not for this box and key")
        self._identity.take(key, issued.certificate)
        self._trust.renewed()
        self._is_unsaid = True
        log.info("certificate renewed", not_after_ms=issued.not_after_ms)

    def _put_off(self, what: str, reason: str, *, is_serious: bool) -> float:
        wait_s = self._backoff.next_s()
        say = log.error if is_serious or self._left_ms() < WARN_MS else log.warning
        say(what, reason=reason, ends_in_days=self._left_ms() // 86_400_000, wait_s=round(wait_s, 1))
        return wait_s
