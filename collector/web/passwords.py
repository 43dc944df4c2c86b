"""Argon2id: a password becomes a hash, and is compared in the same time whether or not the name exists.

Length alone lets `1234567890` in, so zxcvbn judges too: it knows the 30,000 commonest passwords, words, names, keyboard
rows and what people make of them, to which the words below are added.
"""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

MIN_PASSWORD = 10
MAX_PASSWORD = 200
LEAST_SCORE = 2
"""Of 0 to 4: more than a million guesses, where the login lets through a few in a minute."""
COMMON_HERE = (
    "vonggac", "matkhau", "anhyeuem", "emyeuanh", "khongbiet", "khongcho", "congan", "camera", "vietnam", "hanoi",
    "saigon", "giadinh", "mothai", "motngay", "quantri", "canhsat", "xinchao", "tinhyeu", "hanhphuc",
)  # fmt: skip

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
        if int(zxcvbn(password, user_inputs=COMMON_HERE, max_length=MAX_PASSWORD)["score"]) < LEAST_SCORE:
            raise ValueError("the password is one that many people have, or nearly; take three or four unlike words")
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
