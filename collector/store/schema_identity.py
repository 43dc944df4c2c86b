"""The tables of who boxes are, beside those of schema.py and under its rules."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from collector.store.schema import metadata

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),  # SHA-256
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("made_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Column("key_hash", Text),  # of the key that used it: the same may ask again when the answer was lost
    Column("void_ms", BigInteger),  # another bundle, or the box's end, took its place
)

certificates = Table(  # every one that a box was ever given
    "certificates",
    metadata,
    Column("serial", Text, primary_key=True),  # hexadecimal, 32 digits
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("key_hash", Text, nullable=False),  # SHA-256 of the public key
    Column("issued_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("first_used_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("reason", Text),  # revoked | replaced | retired | superseded
    Column("pem", Text, nullable=False),
    Column("misused_ms", BigInteger),  # when it was last used after it had ended
)

signing_keys = Table(  # with which a box signs what it records: never deleted, since old recordings need them
    "signing_keys",
    metadata,
    Column("public_key", Text, primary_key=True),  # raw Ed25519, hexadecimal
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("registered_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
)
