"""Plans of communes with pins for cameras, and alert rules made on the page."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "plans",
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("commune", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_sha256"), "plans", ["sha256"])
    op.create_table(
        "pins",
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"], name=op.f("fk_pins_camera")),
        sa.PrimaryKeyConstraint("camera", name=op.f("pk_pins")),
    )
    op.create_table(
        "desk_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_desk_rules_name")),
    )


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
