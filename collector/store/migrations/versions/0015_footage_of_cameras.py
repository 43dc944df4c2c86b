"""An index of the days on which one camera has footage: the one over all cameras read every clip of the day."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """One index."""
    stored = sa.text("state = 'stored'")
    op.create_index(
        "ix_clips_footage_of_camera",
        "clips",
        ["state", "camera", "first_frame_ms"],
        sqlite_where=stored,
        postgresql_where=stored,
    )


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
