"""The tables of the fleet: what its loop derived, what was not there when, what is worked on, and who was there."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table, Text, text

from collector.store.schema_base import metadata

fleet_states = Table(  # the present state of each box and camera, as the fleet loop derived it
    "fleet_states",
    metadata,
    Column("kind", Text, primary_key=True),  # box | camera
    Column("ref", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("checked_ms", BigInteger, nullable=False),
)

outages = Table(
    "outages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # box | camera | site | commune | all | disk | clone
    Column("ref", Text, nullable=False),  # a site's is COMMUNE/SITE
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("members", JSON, nullable=False),  # cameras of a box; boxes of a site, a commune or all
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger),
    Column("told_ms", BigInteger),
    Column("parent", Text),  # the outage of a site, a commune or all that this one is part of
    Column("boot_id", Text),  # of a box: the boot in which it was last heard
    Column("hint", Text),  # known when it is heard again: power | program | network; NULL = not known
    Index("ix_outages_kind_ref_start_ms", "kind", "ref", "start_ms"),
    Index("ix_outages_start_ms", "start_ms"),
    Index("ix_outages_parent", "parent"),
    Index(
        "ix_outages_open", "kind", "ref", sqlite_where=text("end_ms IS NULL"), postgresql_where=text("end_ms IS NULL")
    ),
)

maintenance_windows = Table(  # somebody works on it: nobody is told, and no availability is lost; always with an end
    "maintenance_windows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # box | camera | site | commune
    Column("ref", Text, nullable=False),  # a site's is COMMUNE/SITE
    Column("start_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text),
    Column("lifted_by", Text),  # ended before its time, at until_ms
    Index("ix_maintenance_windows_kind_ref_until_ms", "kind", "ref", "until_ms"),
    Index("ix_maintenance_windows_until_ms", "until_ms"),
)

visit_notes = Table(  # what a technician did at a box
    "visit_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_visit_notes_box_wall_ms", "box", "wall_ms"),
)
