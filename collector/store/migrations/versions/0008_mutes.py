"""What is muted for a while, and the episodes that were muted by it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "mutes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("from_minute", sa.Integer(), nullable=True),
        sa.Column("to_minute", sa.Integer(), nullable=True),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("incident", sa.Text(), nullable=True),
        sa.Column("lifted_ms", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"], name=op.f("fk_mutes_camera")),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_mutes_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mutes")),
    )
    op.create_index("ix_mutes_camera_until_ms", "mutes", ["camera", "until_ms"])
    op.create_index("ix_mutes_until_ms", "mutes", ["until_ms"])
    op.create_table(
        "muted_episodes",
        sa.Column("episode", sa.Text(), nullable=False),
        sa.Column("mute", sa.Text(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["episode"], ["episodes.id"], name=op.f("fk_muted_episodes_episode")),
        sa.ForeignKeyConstraint(["mute"], ["mutes.id"], name=op.f("fk_muted_episodes_mute")),
        sa.PrimaryKeyConstraint("episode", name=op.f("pk_muted_episodes")),
    )
    op.create_index(op.f("ix_muted_episodes_mute"), "muted_episodes", ["mute"])


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
