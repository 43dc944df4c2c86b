"""Enrolment tokens: 256 random bits, good once, for one box, for 72 hours; only their SHA-256 is kept here."""

import hashlib
import secrets

LIFE_MS = 72 * 3600 * 1000


def make_token() -> str:
    """A new one, as it stands in a bundle."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored. No salt and no slowness: nobody guesses 256 bits."""
    return hashlib.sha256(token.encode()).hexdigest()
