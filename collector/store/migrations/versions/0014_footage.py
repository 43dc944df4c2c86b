"""The index of days with footage begins with the state, so that SQLite goes by it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """One index in place of another."""
    stored = sa.text("state = 'stored'")
    op.drop_index("ix_clips_footage", "clips")
    op.create_index(
        "ix_clips_footage", "clips", ["state", "first_frame_ms"], sqlite_where=stored, postgresql_where=stored
    )


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
