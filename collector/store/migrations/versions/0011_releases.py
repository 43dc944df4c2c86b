"""Releases of the box's program, and which boxes get them first."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "releases",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.Column("ring", sa.Text(), nullable=True),
        sa.Column("stopped_ms", sa.BigInteger(), nullable=True),
        sa.Column("stopped_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_releases")),
    )
    op.create_table(
        "box_rings",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("ring", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_box_rings_box")),
        sa.PrimaryKeyConstraint("box", name=op.f("pk_box_rings")),
    )


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
