"""The tables of people: who may sign in, who is signed in, and the log of what each did."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from collector.store.schema_base import Row, metadata

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),  # Argon2id
    Column("role", Text, nullable=False),  # administrator | officer | technician | auditor
    Column("language", Text),  # vi | en; NULL = what the browser asks for
    Column("created_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
    Column("reach", JSON(none_as_null=True)),  # [[commune, site or null], …]; NULL = everywhere
    Column("also", JSON(none_as_null=True)),  # rights beyond the role's
    Column("without", JSON(none_as_null=True)),  # rights of the role that this user does not have
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),  # SHA-256 of the cookie
    Column("user", Text, ForeignKey("users.name"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)

tokens = Table(  # for programs; the role is the token's own
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("user", Text, ForeignKey("users.name"), nullable=False),
    Column("role", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("id", Row, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Index("ix_login_failures_name_wall_ms", "name", "wall_ms"),
)

audit = Table(  # append-only: triggers refuse UPDATE and DELETE; see collector/store/audit.py
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("by", Text, nullable=False),  # session | token | console | collector | nobody
    Column("role", Text),
    Column("address", Text),
    Column("thing", Text),  # clip | snapshot | incident | user | box | …
    Column("ref", Text),
    Column("camera", Text),
    Column("incident", Text),
    Column("commune", Text),
    Column("detail", JSON, nullable=False),
    Column("previous", Text, nullable=False),  # the hash of the line before
    Column("hash", Text, nullable=False),
    Index("ix_audit_thing_ref_wall_ms", "thing", "ref", "wall_ms"),
    Index("ix_audit_who_number", "who", "number"),
    Index("ix_audit_camera_number", "camera", "number"),
    Index("ix_audit_incident_number", "incident", "number"),
    Index("ix_audit_wall_ms", "wall_ms"),
)
