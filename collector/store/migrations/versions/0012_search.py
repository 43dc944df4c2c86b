"""Search: an episode carries its incident's outcome, and every path has its index."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """A column and four indexes; what was decided until now is copied."""
    op.add_column("episodes", sa.Column("outcome", sa.Text(), nullable=True))
    op.execute(
        "UPDATE episodes SET outcome = (SELECT i.outcome FROM incidents i JOIN incident_episodes m ON m.incident = i.id"
        " WHERE m.episode = episodes.id) WHERE id IN (SELECT m.episode FROM incident_episodes m"
        " JOIN incidents i ON i.id = m.incident WHERE i.outcome IS NOT NULL)"
    )
    for name, table, columns, where in (
        ("ix_episodes_outcome_start_ms_id", "episodes", ["outcome", "start_ms", "id"], "outcome IS NOT NULL"),
        ("ix_episodes_kind_start_ms_id", "episodes", ["kind", "start_ms", "id"], "kind <> 'motion'"),
        ("ix_incidents_camera_start_ms_id", "incidents", ["camera", "start_ms", "id"], None),
        ("ix_clips_footage", "clips", ["first_frame_ms"], "state = 'stored'"),
    ):
        condition = None if where is None else sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
