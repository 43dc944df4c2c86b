"""Giving certificates: at enrolment for a token, at renewal for the certificate that still holds.

Rules: a request is looked at whole before anything is changed; the token burns, the certificate is stored and the
signing key registered in one transaction; a lost answer can be asked for again with the same key, by which nobody else
gains anything; a refusal burns nothing, and its reason never repeats what was sent.
"""

from collections.abc import Callable
from datetime import timedelta

from cryptography import x509

from collector.identity.authority import Authority
from collector.identity.certificates import BoxKey, key_hash, pem, serial_text, to_ms
from collector.identity.requests import RequestRefused, check_csr, check_signing_key
from collector.identity.tokens import token_hash
from collector.store import audit, boxes, identities
from collector.store.audit import Act
from collector.store.database import Connection, Database
from collector.store.identities import Certificate, Token
from vonggac.wire.enrolment import EnrolRequest, Issued, RenewRequest

MOST_UNUSED = 3
"""Certificates that a box may have in hand without having used them."""


MOST_A_DAY = 6
"""A box whose clock is years ahead would otherwise renew at every start."""
DAY_MS = 86_400_000


class Enrolments:
    """Decides over one database, signs with one authority."""

    def __init__(self, authority: Authority, database: Database, wall_ms: Callable[[], int], life: timedelta) -> None:
        self._authority = authority
        self._database = database
        self._wall_ms = wall_ms
        self._life = life

    def enrol(self, request: EnrolRequest, address: str) -> Issued:
        """A certificate for the token. Raises RequestRefused, StoreUnavailable."""
        csr, key = check_csr(request.csr, request.box)
        check_signing_key(request, csr)
        hashed, now_ms = token_hash(request.token), self._wall_ms()
        with self._database.write() as connection:
            token = identities.find_token(connection, hashed)
            _check_token(token, request.box, key_hash(key), now_ms)
            if not boxes.is_known(connection, request.box):
                raise RequestRefused(f"box {request.box} was taken out of this collector")
            if token is not None and token.used_ms is not None:
                return _given_before(identities.certificate_of_key(connection, request.box, key_hash(key)))
            if identities.is_key_known(connection, key_hash(key)):
                raise RequestRefused("csr: this key had a certificate before; make a new one")
            if not identities.register_signing_key(connection, request.box, request.signing_key, now_ms):
                raise RequestRefused("signing_key: another box has it")
            identities.burn_token(connection, hashed, key_hash(key), now_ms)
            identities.let_in(connection, request.box)
            given = self._give(connection, key, request.box, now_ms)
            audit.append(
                connection,
                Act(
                    action="configure",
                    who=request.box,
                    by="nobody",
                    address=address,
                    thing="box",
                    ref=request.box,
                    detail={"did": "enrol", "certificate": given.serial},
                ),
                now_ms,
            )
        return Issued(certificate=given.pem, not_after_ms=given.not_after_ms)

    def renew(self, box: str, request: RenewRequest) -> Issued:
        """A certificate over a new key for a box that is let in. Raises RequestRefused, StoreUnavailable."""
        _csr, key = check_csr(request.csr, box)
        now_ms = self._wall_ms()
        with self._database.write() as connection:
            before = identities.certificate_of_key(connection, box, key_hash(key))
            if before is not None and before.first_used_ms is None:
                return _given_before(before)
            if before is not None or identities.is_key_known(connection, key_hash(key)):
                raise RequestRefused("csr: this key had a certificate before; make a new one")
            if identities.count_unused(connection, box) >= MOST_UNUSED:
                raise RequestRefused(f"{MOST_UNUSED} certificates were given and none was used", 429)
            if identities.count_given(connection, box, now_ms - DAY_MS) >= MOST_A_DAY:
                raise RequestRefused(f"{MOST_A_DAY} certificates were given within a day", 429)
            given = self._give(connection, key, box, now_ms)
        return Issued(certificate=given.pem, not_after_ms=given.not_after_ms)

    def _give(self, connection: Connection, key: BoxKey, box: str, now_ms: int) -> Certificate:
        made: x509.Certificate = self._authority.sign_box(key, box, now_ms, self._life)
        given = Certificate(
            serial=serial_text(made.serial_number),
            box=box,
            key_hash=key_hash(key),
            issued_ms=now_ms,
            not_after_ms=to_ms(made.not_valid_after_utc),
            first_used_ms=None,
            revoked_ms=None,
            reason=None,
            pem=pem(made).decode("ascii"),
        )
        identities.add_certificate(connection, given)
        return given


def _check_token(token: Token | None, box: str, hash_of_key: str, now_ms: int) -> None:
    if token is None:
        raise RequestRefused("the token is not known here")
    if token.box != box:
        raise RequestRefused("the token is another box's")
    if token.void_ms is not None:
        raise RequestRefused("the token is void: a newer bundle was made, or the box was revoked")
    if token.used_ms is not None and token.key_hash != hash_of_key:
        raise RequestRefused("the token was used before, with another key. Do: collector box replace")
    if now_ms >= token.expires_ms:
        raise RequestRefused("the token has expired; it is good for 72 hours. Do: collector box replace")
    if now_ms < token.made_ms - 3_600_000:
        raise RequestRefused("the token is from the future: this server's clock was put back")


def _given_before(before: Certificate | None) -> Issued:
    if before is None or before.revoked_ms is not None:
        raise RequestRefused("the certificate that was given for this key is revoked")
    return Issued(certificate=before.pem, not_after_ms=before.not_after_ms)
