"""Who boxes are: enrolment tokens, certificates, signing keys, and boxes that may not connect."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Three tables and a column."""
    op.add_column("boxes", sa.Column("revoked_ms", sa.BigInteger(), nullable=True))
    op.create_table(
        "enrolment_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("key_hash", sa.Text(), nullable=True),
        sa.Column("void_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_enrolment_tokens_box")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_enrolment_tokens")),
    )
    op.create_index(op.f("ix_enrolment_tokens_box"), "enrolment_tokens", ["box"])
    op.create_table(
        "certificates",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_used_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_certificates_box")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificates")),
    )
    op.create_index(op.f("ix_certificates_box"), "certificates", ["box"])
    op.create_table(
        "signing_keys",
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_signing_keys_box")),
        sa.PrimaryKeyConstraint("public_key", name=op.f("pk_signing_keys")),
    )
    op.create_index(op.f("ix_signing_keys_box"), "signing_keys", ["box"])


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
