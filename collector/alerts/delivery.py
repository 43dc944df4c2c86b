"""The delivery of one channel's alerts: claim, send, mark; each channel has a thread, so that none waits for another.

Steps and the crash after each: claimed — due again at the next start, or for anybody after `claim_stale_s`; sent but
not marked — sent once more; marked — done. So a crash may repeat an alert and never loses one. A passing failure is
tried again with growing patience until `give_up_after_s`; a permanent one is marked and shown.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from collector.alerts.bell import Ear
from collector.alerts.channels.protocol import Channel, ChannelBusy, ChannelRefused
from collector.alerts.texts import AlertFacts, AlertText, mark_late, subject_of_kind, write
from collector.store import alerts as store
from collector.store.database import Connection, Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.backoff import Backoff
from vonggac.daemon.clock import Clock
from vonggac.daemon.crash_points import reach
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)
POLL_S = 0.25
PICTURE_STEP_MS = 200

PictureOf = Callable[[str], bytes | None]
"""The best picture of an episode that is here, by the episode's id."""


@dataclass(frozen=True)
class Patience:
    """How long delivery tries, waits and remembers."""

    first_retry_s: float = 5.0
    longest_retry_s: float = 600.0
    give_up_after_s: float = 86_400.0
    claim_stale_s: float = 120.0
    late_after_s: float = 300.0
    picture_wait_s: float = 1.5


class Delivery:
    """Delivers what is due on one channel. There is one for each channel in the whole installation."""

    def __init__(
        self,
        database: Database,
        channel: Channel,
        picture_of: PictureOf,
        zone: tzinfo,
        public_url: str | None,
        patience: Patience = Patience(),
    ) -> None:
        self._database = database
        self._channel = channel
        self._picture_of = picture_of
        self._zone = zone
        self._public_url = public_url
        self._patience = patience
        self._worker = os.urandom(8).hex()
        self._pause = Backoff(first_s=1, cap_s=60)
        self._paused_until_ms = 0

    def run(self, pulse: Pulse, stop: Stop, clock: Clock, alerted: Ear) -> None:
        """Deliver until asked to stop. A send may take long: give the thread a stall time of minutes."""
        backoff, resumed = Backoff(), False
        while not stop.is_set():
            pulse.beat()
            try:
                if not resumed:
                    self.resume(clock.wall_ms())
                    resumed = True
                more = self.step(clock.wall_ms)
            except StoreUnavailable as error:
                log.warning("delivery waits for the database", channel=self._channel.name, error=str(error))
                resumed = False  # a claim may stand that could not be marked
                stop.wait(backoff.next_s())
                continue
            backoff.reset()
            if not more:
                alerted.wait(POLL_S)

    def resume(self, now_ms: int) -> None:
        """After a start: what the last run had claimed and not marked is due again."""
        with self._database.write() as connection:
            released = store.release_claims(connection, self._channel.name, now_ms)
        if released:
            log.info("alerts of the last run are sent again", channel=self._channel.name, alerts=released)

    def step(self, now: Callable[[], int]) -> bool:
        """Deliver one alert, if one is due; True when it should be called again at once."""
        now_ms, stale_ms = now(), round(self._patience.claim_stale_s * 1000)
        if now_ms < self._paused_until_ms <= now_ms + 120_000:
            return False
        with self._database.read() as connection:
            if not store.alert_is_due(connection, self._channel.name, now_ms, stale_ms):
                return False
        with self._database.write() as connection:
            alert = store.claim_alert(connection, self._channel.name, self._worker, now_ms, stale_ms)
            subject = None if alert is None or alert.episode is None else store.subject_of(connection, alert.episode)
        if alert is None:
            return False
        reach("alert.claimed")
        picture = None
        if self._channel.may_carry_pictures and alert.episode is not None:
            picture = self._picture_of(alert.episode)
            if picture is None and self._picture_may_come(alert, subject, now_ms):
                self._mark(
                    lambda c: store.mark_again(c, alert.id, self._worker, now_ms, now_ms + PICTURE_STEP_MS, None)
                )
                return True
        try:
            self._channel.send(alert.id, self.text(alert, subject, now_ms), picture)
        except ChannelBusy as busy:
            self._put_off(alert, str(busy), now())
        except ChannelRefused as refused:
            reason, done_ms = str(refused), now()
            log.error("alert refused for good", channel=self._channel.name, alert=alert.id, error=reason)
            self._mark(lambda c: store.mark_failed(c, alert.id, self._worker, done_ms, reason))
        else:
            reach("alert.sent")
            self._pause.reset()
            self._paused_until_ms = 0
            done_ms = now()
            self._mark(lambda c: store.mark_sent(c, alert.id, self._worker, done_ms))
            reach("alert.marked")
        return True

    def text(self, alert: store.ClaimedAlert, subject: store.AlertSubject | None, now_ms: int) -> AlertText:
        """The alert in the channel's language, saying how late it is if it is."""
        waited_ms = now_ms - alert.created_ms
        waited_long = waited_ms > self._patience.late_after_s * 1000
        late_ms = alert.late_ms + max(0, waited_ms) if alert.late_ms or waited_long else 0
        if subject is None:
            text = AlertText(alert.title or "Vọng Gác", alert.body or "", alert.rings)
            return mark_late(text, late_ms, self._channel.language) if late_ms else text
        has_date = subject.dated is not None or subject.clock != "unset"
        link = None if self._public_url is None else f"{self._public_url.rstrip('/')}/incidents/{alert.incident}"
        facts = AlertFacts(
            subject=subject_of_kind(subject.kind),
            box=subject.box,
            camera=subject.camera,
            site=subject.site,
            at_ms=subject.start_ms if has_date else subject.received_ms,
            rings=alert.rings,
            zones=subject.zones,
            late_ms=late_ms,
            clock_set=has_date and subject.dated != "uncertain",
            link=link,
            unattended_ms=self._unattended_ms(alert, subject),
        )
        return write(facts, self._channel.language, self._zone)

    def _unattended_ms(self, alert: store.ClaimedAlert, subject: store.AlertSubject) -> int:
        if alert.kind != "escalation" or subject.incident_ms is None:
            return 0
        return max(0, alert.created_ms - subject.incident_ms)

    def _picture_may_come(self, alert: store.ClaimedAlert, subject: store.AlertSubject | None, now_ms: int) -> bool:
        named = subject is not None and subject.snapshot_sha256 is not None
        return named and 0 <= now_ms - alert.created_ms < self._patience.picture_wait_s * 1000

    def _put_off(self, alert: store.ClaimedAlert, error: str, now_ms: int) -> None:
        patience = self._patience
        if now_ms - alert.created_ms > patience.give_up_after_s * 1000:
            log.error("alert given up", channel=self._channel.name, alert=alert.id, attempts=alert.attempts)
            self._mark(lambda c: store.mark_failed(c, alert.id, self._worker, now_ms, f"given up: {error}"))
            return
        wait_s = min(patience.longest_retry_s, patience.first_retry_s * 2 ** min(alert.attempts - 1, 20))
        log.warning(
            "alert did not go, will be tried again",
            channel=self._channel.name,
            alert=alert.id,
            attempts=alert.attempts,
            wait_s=wait_s,
            error=error,
        )
        self._paused_until_ms = now_ms + round(min(self._pause.next_s(), wait_s) * 1000)
        next_ms = now_ms + round(wait_s * 1000)
        self._mark(lambda c: store.mark_again(c, alert.id, self._worker, now_ms, next_ms, error))

    def _mark(self, mark: Callable[[Connection], bool]) -> None:
        with self._database.write() as connection:
            marked = mark(connection)
        if not marked:
            log.warning("an alert's claim had passed to another worker", channel=self._channel.name)
