"""Indexes that the officers' pages go by: each begins with what a path of search asks for, then (start_ms, id)."""

from sqlalchemy import Index, text

from collector.store.schema import clips, episodes, incidents

NOT_MOTION = text("kind <> 'motion'")  # said in the query too: SQLite takes a partial index only then
STORED = text("state = 'stored'")

Index(
    "ix_episodes_outcome_start_ms_id", episodes.c.outcome, episodes.c.start_ms, episodes.c.id,
    sqlite_where=text("outcome IS NOT NULL"), postgresql_where=text("outcome IS NOT NULL"),
)  # fmt: skip
Index(
    "ix_episodes_kind_start_ms_id", episodes.c.kind, episodes.c.start_ms, episodes.c.id,
    sqlite_where=NOT_MOTION, postgresql_where=NOT_MOTION,
)  # fmt: skip
Index("ix_incidents_camera_start_ms_id", incidents.c.camera, incidents.c.start_ms, incidents.c.id)
Index("ix_clips_footage", clips.c.first_frame_ms, sqlite_where=STORED, postgresql_where=STORED)
