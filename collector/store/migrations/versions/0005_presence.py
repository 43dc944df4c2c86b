"""What a box last said of its outboxes, and when it was not heard."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "outboxes",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("outbox", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.JSON(), nullable=True),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_outboxes_box")),
        sa.PrimaryKeyConstraint("box", "outbox", name=op.f("pk_outboxes")),
    )
    op.create_table(
        "silences",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_silences_box")),
        sa.PrimaryKeyConstraint("box", "from_ms", name=op.f("pk_silences")),
    )
    with op.batch_alter_table("silences", schema=None) as batch_op:
        batch_op.create_index("ix_silences_until_ms", ["until_ms"], unique=False)
