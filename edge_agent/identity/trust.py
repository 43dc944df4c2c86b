"""Whom the box trusts: the pinned authority alone, TLS 1.2 or more, the server's name checked, and the dates by what is
known of the time.

A box without a battery wakes up in the past, or anywhere. So OpenSSL does not look at dates; right after each handshake
they are compared here with the believed time: the clock's where it is set, and never before the moment at which the
bundle was made or our own certificate given. docs/design/identity.md says what that leaves open.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vonggac.daemon.clock import Clock

X509_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name."""


def believed_ms(clock: Clock, not_before_ms: int) -> int:
    """The time, as far as it can be known: a clock that was never set since the start is not asked."""
    return not_before_ms if clock.state() == "unset" else max(clock.wall_ms(), not_before_ms)


class Trust:
    """Makes TLS contexts. `tls_file` holds the box's key and certificate; without one it is nobody yet."""

    def __init__(
        self, authority_file: Path, tls_file: Path | None, clock: Clock, not_before_ms: Callable[[], int]
    ) -> None:
        self._authority_file = authority_file
        self._tls_file = tls_file
        self._clock = clock
        self._not_before_ms = not_before_ms
        self.generation = 0
        """Counts renewals: a context that was made before holds the old certificate."""

    def renewed(self) -> None:
        """The file holds another certificate now."""
        self.generation += 1

    def now_ms(self) -> int:
        """The believed time."""
        return believed_ms(self._clock, self._not_before_ms())

    def context(self) -> ssl.SSLContext:
        """For one or many connections. Raises OSError (ssl.SSLError is one) when a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self._authority_file)
        context.verify_flags |= ssl.VerifyFlags(X509_NO_CHECK_TIME) | ssl.VERIFY_X509_STRICT
        if self._tls_file is not None:
            context.load_cert_chain(self._tls_file)
        context.sslsocket_class = _dated(self.now_ms)
        return context


def _dated(now_ms: Callable[[], int]) -> type[ssl.SSLSocket]:
    class Dated(ssl.SSLSocket):
        """A socket that looks at the dates of the server's certificate."""

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            peer: dict[str, Any] = self.getpeercert() or {}
            now_s = now_ms() / 1000
            if "notAfter" not in peer or _seconds(peer["notAfter"]) < now_s:
                raise _wrong("certificate has expired")
            if "notBefore" not in peer or _seconds(peer["notBefore"]) > now_s:
                raise _wrong("certificate is not yet valid")

    return Dated


def _seconds(text: str) -> int:
    """UTC seconds of a date as OpenSSL prints it."""
    return int(ssl.cert_time_to_seconds(text))


def _wrong(text: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(f"the server's {text}")
    error.verify_message = text
    return error
