"""Why in a word that pages can say in their language, beside the box's own words."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Two columns."""
    for table in ("camera_states", "commands"):
        op.add_column(table, sa.Column("code", sa.Text(), nullable=True))


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
