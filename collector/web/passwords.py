"""Argon2id: a password becomes a hash, and is compared in the same time whether or not the name exists."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_PASSWORD = 10
MAX_PASSWORD = 200

_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 64 MiB and all cores: a flood of logins must not take the server


class Passwords:
    """Makes and compares hashes (RFC 9106's second recommended setting: 64 MiB, three passes, four lanes)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The encoded hash. ValueError says what is wrong with the password."""
        if len(password) < MIN_PASSWORD:
            raise ValueError(f"the password has {len(password)} characters; it needs at least {MIN_PASSWORD}")
        if len(password) > MAX_PASSWORD:
            raise ValueError(f"the password has {len(password)} characters; at most {MAX_PASSWORD} are taken")
        with _AT_ONCE:
            return self._hasher.hash(password)

    def fits(self, encoded: str | None, password: str) -> bool:
        """True when the password made this hash; `None` (no such user) costs as much and is never true."""
        with _AT_ONCE:
            try:
                self._hasher.verify(encoded or self._nobody, password[: MAX_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False
        return encoded is not None
