"""Old episodes are found by when they were last heard of."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """One index."""
    op.create_index("ix_episodes_received_ms", "episodes", ["received_ms"])


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
