"""Outages of whole sites and communes, maintenance as windows with a history, notes of visits."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Columns of outages, and two tables for one that nothing wrote to."""
    for name in ("parent", "boot_id", "hint"):
        op.add_column("outages", sa.Column(name, sa.Text(), nullable=True))
    op.create_index("ix_outages_parent", "outages", ["parent"])
    is_open = sa.text("end_ms IS NULL")
    op.create_index("ix_outages_open", "outages", ["kind", "ref"], sqlite_where=is_open, postgresql_where=is_open)
    op.drop_table("maintenance")
    op.create_table(
        "maintenance_windows",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_windows")),
    )
    op.create_index("ix_maintenance_windows_kind_ref_until_ms", "maintenance_windows", ["kind", "ref", "until_ms"])
    op.create_index("ix_maintenance_windows_until_ms", "maintenance_windows", ["until_ms"])
    op.create_table(
        "visit_notes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.id"], name=op.f("fk_visit_notes_box")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_notes")),
    )
    op.create_index("ix_visit_notes_box_wall_ms", "visit_notes", ["box", "wall_ms"])


def downgrade() -> None:
    """Not supported: restore the backup made before."""
    raise NotImplementedError
