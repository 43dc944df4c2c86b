"""What a running collector has of its authority: opened from the configuration, kept up to date once a second.

The keeper writes the list of revoked certificates for brokers that read one, and cuts the connections of boxes that may
no longer speak. It only ever brings the world to what the database says, so that a crash in between loses nothing.
"""

from datetime import timedelta
from pathlib import Path

from collector.config import CollectorConfig, IdentitySection
from collector.identity.authority import AUTHORITY, AUTHORITY_KEY, COLLECTOR, REVOKED, SERVER, Authority, KeyFile
from collector.identity.enrol import Enrolments
from collector.identity.gate import Gate
from collector.store import identities
from collector.store.database import Database
from collector.store.errors import StoreUnavailable
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid, read_secret
from vonggac.daemon.logs import get_logger
from vonggac.daemon.threads import Pulse, Stop

log = get_logger(__name__)
EVERY_S = 1.0
WARN_BEFORE_MS, WARN_EVERY_MS = 60 * 86_400_000, 86_400_000


def identity_folder(config: CollectorConfig) -> Path:
    """Where the authority's files stand."""
    return config.data / "identity"


def section_of(config: CollectorConfig) -> IdentitySection:
    """The section. Raises ConfigInvalid when there is none."""
    if config.identity is None:
        raise ConfigInvalid(["identity: is missing; boxes get certificates only with it. See configs/collector.yaml"])
    return config.identity


def key_file(config: CollectorConfig) -> KeyFile:
    """The authority's key. Raises ConfigInvalid."""
    return KeyFile(identity_folder(config) / AUTHORITY_KEY, read_secret(section_of(config).key_password_file))


def open_authority(config: CollectorConfig) -> Authority:
    """The authority that was made. Raises ConfigInvalid."""
    return Authority(identity_folder(config), key_file(config))


def enrolments(config: CollectorConfig, authority: Authority, database: Database, clock: Clock) -> Enrolments:
    """As the configuration wants certificates."""
    life = timedelta(seconds=section_of(config).certificate_life)
    return Enrolments(authority, database, clock.wall_ms, life)


class Keeper:
    """The thread `identity`."""

    def __init__(self, authority: Authority, gate: Gate, database: Database, clock: Clock) -> None:
        self._authority = authority
        self._gate = gate
        self._database = database
        self._clock = clock
        self._revoked: list[tuple[str, int]] | None = None
        self._warned_ms = 0

    def run(self, pulse: Pulse, stop: Stop) -> None:
        """Until asked to stop."""
        while not stop.wait(EVERY_S):
            pulse.beat()
            try:
                self.step()
            except StoreUnavailable as error:
                log.error("database unavailable; who may connect is looked at again", reason=str(error))

    def step(self) -> None:
        """Look once. Raises StoreUnavailable."""
        now_ms = self._clock.wall_ms()
        with self._database.read() as connection:
            holding = identities.holding(connection, now_ms)
            revoked = identities.revoked(connection, now_ms)
        self._warn(now_ms)
        self._gate.sweep(serial for _box, serial in holding)
        if revoked != self._revoked or not self._authority.file(REVOKED).exists():
            self._authority.write_revoked(revoked, now_ms)
            log.info("list of revoked certificates written", certificates=len(revoked))
            self._revoked = revoked

    def _warn(self, now_ms: int) -> None:
        """Once a day, of this server's own certificates."""
        if 0 <= now_ms - self._warned_ms < WARN_EVERY_MS:
            return
        self._warned_ms = now_ms
        for name in (AUTHORITY, SERVER, COLLECTOR):
            ends_ms = self._authority.ends_ms(name)
            if ends_ms - now_ms < WARN_BEFORE_MS:
                log.error(
                    "a certificate of this server ends. Do: collector authority equip, and restart",
                    file=name,
                    ends_in_days=(ends_ms - now_ms) // 86_400_000,
                )
