"""Ed25519 signatures over what must not be changed on its way: releases, hand-over sheets."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def signer_of(signed: bytes, signature: bytes, keys: Iterable[str]) -> str | None:
    """The first of `keys` (raw public keys, hexadecimal) that made the signature; None when none of them did."""
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, signed)
        except (InvalidSignature, ValueError):
            continue
        return key
    return None


def public_hex(key: Ed25519PrivateKey) -> str:
    """Its public key, raw, hexadecimal."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
