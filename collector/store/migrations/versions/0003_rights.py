"""Where a user may see and act, and the rights that differ from their role's. Who is there may go on everywhere."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Columns that are NULL for everybody who is there."""
    for name in ("reach", "also", "without"):
        op.add_column("users", sa.Column(name, sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
