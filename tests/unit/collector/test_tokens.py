"""Enrolment tokens."""

import base64
import hashlib

from collector.identity.tokens import LIFE_MS, make_token, token_hash
from vonggac.wire.enrolment import TOKEN


def test_a_token_is_256_random_bits() -> None:
    made = {make_token() for _ in range(500)}
    assert len(made) == 500
    assert {len(base64.urlsafe_b64decode(f"{token}=")) for token in made} == {32}
    assert all(TOKEN.fullmatch(token) for token in made)


def test_a_token_is_kept_as_its_hash_for_72_hours() -> None:
    token = make_token()
    assert token_hash(token) == hashlib.sha256(token.encode()).hexdigest()
    assert LIFE_MS == 72 * 3_600_000
