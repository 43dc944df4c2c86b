"""The indexes of footage hold clips in every state.

PostgreSQL leaves the condition of a partial index out of its search: of one that begins with the state it reads all.
"""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Two indexes in place of two."""
    for name, columns in (
        ("ix_clips_footage", ["state", "first_frame_ms"]),
        ("ix_clips_footage_of_camera", ["state", "camera", "first_frame_ms"]),
    ):
        op.drop_index(name, "clips")
        op.create_index(name, "clips", columns)


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
