"""How this box proves itself, as its configuration says: by certificate, or by a secret (./demo, closed networks)."""

import hashlib
import hmac
from dataclasses import dataclass, field

from edge_agent.config import EdgeConfig
from edge_agent.identity.folder import Identity
from edge_agent.identity.trust import Trust
from vonggac.daemon.clock import Clock
from vonggac.daemon.config import ConfigInvalid, read_secret

_CLIENT_ID_OF = b"vonggac mqtt client id 1"


@dataclass(frozen=True)
class Credentials:
    """Either `secret` or the other two."""

    secret: str | None = field(default=None, repr=False)
    identity: Identity | None = None
    trust: Trust | None = None

    def client_id(self, box: str) -> str:
        """The box's MQTT client id: always the same, and nobody else can tell it, so nobody can take over its session.

        Mosquitto as we set it up goes by the certificate and ignores it; NATS binds no client id to a certificate.
        """
        if self.identity is not None:
            secret = self.identity.signing_key().private_bytes_raw()
        else:
            assert self.secret is not None  # noqa: S101 - one of the two is there
            secret = self.secret.encode()
        return f"{box}-{hmac.new(secret, _CLIENT_ID_OF, hashlib.sha256).hexdigest()[:32]}"


def open_credentials(config: EdgeConfig, clock: Clock) -> Credentials:
    """Raises ConfigInvalid for a secret file or an identity that cannot be used."""
    if config.identity is None:
        assert config.broker.password_file is not None  # noqa: S101 - the configuration sees to it
        return Credentials(secret=read_secret(config.broker.password_file))
    identity = Identity(config.identity)
    if identity.facts.box != config.box:
        raise ConfigInvalid(
            [f"box: is {config.box}, but {config.identity} is the identity of {identity.facts.box}. Set box to that"]
        )
    trust = Trust(identity.authority_file, identity.tls_file, clock, identity.not_before_ms)
    try:
        trust.context()
    except OSError as error:
        raise ConfigInvalid([f"{config.identity}: key, certificate and authority do not fit: {error}"]) from None
    return Credentials(identity=identity, trust=trust)
