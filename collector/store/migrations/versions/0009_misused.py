"""When a certificate that had ended was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """A column."""
    op.add_column("certificates", sa.Column("misused_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
