"""What the officers' pages keep, and the indexes that they go by.

Each index begins with what a path of search asks for and goes on with (start_ms, id).
"""

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from collector.store.schema import clips, episodes, incidents
from collector.store.schema_base import metadata

NOT_MOTION = text("kind <> 'motion'")  # said in the query too: SQLite takes a partial index only then

Index(
    "ix_episodes_outcome_start_ms_id", episodes.c.outcome, episodes.c.start_ms, episodes.c.id,
    sqlite_where=text("outcome IS NOT NULL"), postgresql_where=text("outcome IS NOT NULL"),
)  # fmt: skip
Index(
    "ix_episodes_kind_start_ms_id", episodes.c.kind, episodes.c.start_ms, episodes.c.id,
    sqlite_where=NOT_MOTION, postgresql_where=NOT_MOTION,
)  # fmt: skip
Index("ix_incidents_camera_start_ms_id", incidents.c.camera, incidents.c.start_ms, incidents.c.id)
# Of clips in every state: PostgreSQL leaves the condition of a partial index out of its search, and would read it all.
Index("ix_clips_footage", clips.c.state, clips.c.first_frame_ms)
Index("ix_clips_footage_of_camera", clips.c.state, clips.c.camera, clips.c.first_frame_ms)

plans = Table(  # a commune's plan, as it was drawn anew from the file that came
    "plans",
    metadata,
    Column("commune", Text, primary_key=True),
    Column("sha256", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),  # png | jpeg
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("uploaded_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
)

pins = Table(  # where on its commune's plan a camera hangs
    "pins",
    metadata,
    Column("camera", Text, ForeignKey("cameras.id"), primary_key=True),
    Column("x", Float, nullable=False),  # from the left, in 0..1
    Column("y", Float, nullable=False),  # from the top
    Column("placed_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
)

desk_rules = Table(  # alert rules made on the page; those of the configuration stand in its file
    "desk_rules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("body", JSON, nullable=False),  # collector/alerts/stored_rules.py
    Column("changed_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
)
