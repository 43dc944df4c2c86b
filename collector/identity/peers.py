"""Who is at the other end of a TLS connection, and whether they may still speak. Asked at every request.

OpenSSL has checked that the certificate is of our authority; its dates are looked at here, so that a box whose
certificate has ended hears why.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from collector.identity.certificates import serial_text
from collector.store import boxes, identities
from collector.store.database import Database
from collector.store.identities import Certificate
from vonggac.wire.ids import is_box_id

PEER = "vonggac.peer"
"""Where the connection's Peer stands in an ASGI scope."""


MISUSE_NOTED_EVERY_MS = 60_000


class PeerRefused(Exception):
    """Whoever asks may not: the text says why. `status` is HTTP's."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Peer:
    """What a connection's certificate says."""

    box: str
    serial: str

    @staticmethod
    def of(der: bytes | None) -> "Peer | None":
        """None without a certificate, or with one that is no box's."""
        if der is None:
            return None
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        try:
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return None
        if len(names) != 1 or not is_box_id(str(names[0].value)) or ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
            return None
        return Peer(str(names[0].value), serial_text(certificate.serial_number))


class Peers:
    """Over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def box_of(self, peer: Peer | None, now_ms: int) -> str:
        """The box that may speak. Raises PeerRefused, StoreUnavailable."""
        if peer is None:
            raise PeerRefused("a box's certificate is needed here", 401)
        with self._database.read() as connection:
            found = identities.find_certificate(connection, peer.serial)
            may_speak = boxes.is_registered(connection, peer.box)
        if found is None or found.box != peer.box:
            raise PeerRefused("this certificate was never given here")
        if found.revoked_ms is not None:
            self._note_misuse(found, now_ms)
            raise PeerRefused(f"this certificate is {found.reason}")
        if not may_speak:
            raise PeerRefused(f"box {peer.box} is revoked")
        if now_ms >= found.not_after_ms:
            raise PeerRefused("this certificate has expired. Do: collector box replace")
        if found.first_used_ms is None:
            with self._database.write() as connection:
                identities.note_use(connection, peer.serial, peer.box, now_ms)
        return peer.box

    def _note_misuse(self, found: Certificate, now_ms: int) -> None:
        """Once a minute is enough: whoever knocks all the time must not keep the database busy."""
        if found.misused_ms is None or now_ms - found.misused_ms >= MISUSE_NOTED_EVERY_MS:
            with self._database.write() as connection:
                identities.note_misuse(connection, found.serial, now_ms)
