"""The clock of each boot, and the times of what it told: the best known, and the box's own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NEW = {
    "episodes": {
        "dated": sa.Text,
        "earliest_ms": sa.BigInteger,
        "latest_ms": sa.BigInteger,
        "boot_id": sa.Text,
        "box_start_ms": sa.BigInteger,
        "box_last_ms": sa.BigInteger,
        "start_mono_ms": sa.BigInteger,
        "last_mono_ms": sa.BigInteger,
    },
    "clips": {
        "dated": sa.Text,
        "boot_id": sa.Text,
        "box_first_frame_ms": sa.BigInteger,
        "first_frame_mono_ms": sa.BigInteger,
        "clock": sa.Text,
    },
    "camera_states": {
        "boot_id": sa.Text,
        "box_since_ms": sa.BigInteger,
        "mono_ms": sa.BigInteger,
        "clock": sa.Text,
    },
}


def upgrade() -> None:
    """What is here already keeps the times that its box told."""
    op.create_table(
        "boots",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("latest_offset_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_mono_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("outbox", sa.Text(), nullable=True),
        sa.Column("first_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_boots_box")),
        sa.PrimaryKeyConstraint("box", "boot_id", name=op.f("pk_boots")),
    )
    op.create_table(
        "clock_anchors",
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("mono_ms", sa.BigInteger(), nullable=False),
        sa.Column("offset_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_clock_anchors_box")),
        sa.PrimaryKeyConstraint("box", "boot_id", "mono_ms", name=op.f("pk_clock_anchors")),
    )
    for table, columns in _NEW.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind(), nullable=True))
    for table in ("episodes", "clips"):
        op.create_index(f"ix_{table}_box_boot_id", table, ["box", "boot_id"])
        uncertain = sa.text("dated = 'uncertain'")
        op.create_index(f"ix_{table}_uncertain", table, ["box"], sqlite_where=uncertain, postgresql_where=uncertain)


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
