"""Every table of the collector, as SQLAlchemy Core. Migrations must lead to exactly this.

Rules: `_ms` is UTC milliseconds; booleans are real; a camera's id is `<box>/<name>`; ids of episodes, clips, incidents
and messages are UUIDs as text; a row of `episodes` or `clips` is a projection of `events` and can arrive in any order.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from collector.store.schema_base import Row as _Row
from collector.store.schema_base import metadata
from collector.store.schema_fleet import fleet_states, maintenance_windows, outages, visit_notes
from collector.store.schema_people import audit, login_failures, sessions, tokens, users

__all__ = [  # and every table below
    "audit", "fleet_states", "login_failures", "maintenance_windows", "metadata", "outages", "sessions", "tokens",
    "users", "visit_notes",
]  # fmt: skip


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that fulfil `where` only."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# --- who is there ------------------------------------------------------------------------------------------------

boxes = Table(
    "boxes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("commune", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),  # bcrypt of 256 random bits; "" = proves itself by certificate
    Column("created_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger),  # removed boxes keep their history; NULL = registered
    # from birth and last will, NULL until the first birth
    Column("connected", Boolean),
    Column("status_ms", BigInteger),  # received_ms of the last status message
    Column("offline_reason", Text),  # "lost" or "stopped"
    Column("boot_id", Text),
    Column("agent_version", Text),
    Column("config_hash", Text),
    Column("revoked_ms", BigInteger),  # may not connect until it is enrolled anew; NULL = may
)

cameras = Table(
    "cameras",
    metadata,
    Column("id", Text, primary_key=True),  # <box>/<name>
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("has_sub", Boolean),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("configured", Boolean, nullable=False, default=True),  # named in the last birth
    UniqueConstraint("box", "name"),
)

heartbeats = Table(  # the latest of each box
    "heartbeats",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("received_ms", BigInteger, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("mono_ms", BigInteger, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("body", JSON, nullable=False),  # vonggac.wire Heartbeat, as it travelled
)

heartbeat_history = Table(  # thinned by retention
    "heartbeat_history",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Index("ix_heartbeat_history_box_received_ms", "box", "received_ms"),
)

# --- what was said -----------------------------------------------------------------------------------------------

events = Table(
    "events",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("outbox", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("mono_ms", BigInteger, nullable=False),
    Column("clock", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    # The message id is part of the key: a box whose card was restored from an image counts some numbers a second time,
    # and those events must not be mistaken for repetitions of the old ones.
    UniqueConstraint("box", "outbox", "seq", "message_id"),
    Index("ix_events_received_ms", "received_ms"),
)

boots = Table(  # of each boot of a box, what bounds the time of what it told: see dating.py
    "boots",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("boot_id", Text, primary_key=True),
    Column("latest_offset_ms", BigInteger, nullable=False),  # least of received_ms - mono_ms
    Column("last_mono_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),  # of the last message
    Column("outbox", Text),  # NULL while it has numbered nothing
    Column("first_seq", BigInteger),
)

clock_anchors = Table(  # wall - mono of messages made while synced: one for each stretch in which it was the same
    "clock_anchors",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("boot_id", Text, primary_key=True),
    Column("mono_ms", BigInteger, primary_key=True),
    Column("offset_ms", BigInteger, nullable=False),
)

sequences = Table(  # which numbers of each outbox are here: disjoint inclusive ranges, one row where nothing is missing
    "sequences",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("outbox", Text, primary_key=True),
    Column("first_seq", BigInteger, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)

outboxes = Table(  # what a box last said of each of its outboxes; the one heard of last is in the box
    "outboxes",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("outbox", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("waiting", JSON),  # [[first, last], …] as in the heartbeat; NULL = it does not say
    Column("heard_ms", BigInteger, nullable=False),
)

silences = Table(  # when a box was not heard, noted when it was heard again
    "silences",
    metadata,
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # link | off | unknown (fleet/gaps.py)
    Index("ix_silences_until_ms", "until_ms"),
)

kept_aside = Table(  # the newest that could not be read, for the technician; the counts stand in `counters`
    "kept_aside",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=True),
    Column("received_ms", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("kind", Text, nullable=False),  # malformed | unknown_type | unknown_box | foreign
    Column("reason", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # the first 4 KiB
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# --- what was seen -----------------------------------------------------------------------------------------------

episodes = Table(
    "episodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("camera", Text, ForeignKey("cameras.id"), nullable=False),
    # the best known times, dated by boots.py from those below
    Column("start_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),  # last motion known so far; = end_ms once ended
    Column("end_ms", BigInteger),  # NULL while it goes on
    Column("dated", Text),  # told | corrected | uncertain; NULL: as the box said, before its boots were known here
    Column("earliest_ms", BigInteger),  # where start_ms is uncertain; NULL = nothing is known before
    Column("latest_ms", BigInteger),
    # as the box told them, by its wall clock and since the boot; NULL where `dated` is
    Column("boot_id", Text),
    Column("box_start_ms", BigInteger),
    Column("box_last_ms", BigInteger),
    Column("start_mono_ms", BigInteger),
    Column("last_mono_ms", BigInteger),
    Column("rectangle", JSON, nullable=False),  # [x0, y0, x1, y1] in 0..1
    Column("zones", JSON, nullable=False),
    Column("score", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text),  # why it ended: quiet | split | lost | stopped | cut | left_behind (store/left_behind.py)
    Column("path", JSON, nullable=False),  # [[t_ms, x, y], …]
    Column("snapshot_sha256", Text),  # the best one named so far
    Column("clock", Text, nullable=False),  # its worth when the times were told; "unknown" = by a later boot alone
    Column("outbox", Text),  # that last spoke of it
    Column("outcome", Text),  # its incident's, kept here for search
    Column("first_received_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    # When the alert rules last looked. NULL = they have to look (again): whatever changes the row sets it to NULL,
    # for a zone may come with a later message and an incident grows with its episodes.
    Column("rules_ms", BigInteger),
    Index("ix_episodes_start_ms_id", "start_ms", "id"),
    Index("ix_episodes_camera_start_ms_id", "camera", "start_ms", "id"),
    Index("ix_episodes_box_boot_id", "box", "boot_id"),
    Index("ix_episodes_received_ms", "received_ms"),
    _partial("ix_episodes_uncertain", "box", where="dated = 'uncertain'"),
    _partial("ix_episodes_rules_due", "first_received_ms", where="rules_ms IS NULL"),
    _partial("ix_episodes_unfinished", "box", where="end_ms IS NULL OR reason = 'left_behind'"),
)

clips = Table(
    "clips",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # announced | stored | deleted | lost | left_behind (store/clips.py)
    # from clip_ready; NULL when the bytes came first
    Column("announced_ms", BigInteger),
    Column("outbox", Text),
    Column("episode", Text),
    Column("camera", Text),
    Column("first_frame_ms", BigInteger),  # the best known
    Column("dated", Text),  # as in episodes
    Column("boot_id", Text),
    Column("box_first_frame_ms", BigInteger),  # as the box told it
    Column("first_frame_mono_ms", BigInteger),
    Column("clock", Text),
    Column("duration_ms", BigInteger),
    Column("codec", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("truncated", Boolean, nullable=False, default=False),
    Column("note", Text),
    # from the upload; NULL until the bytes are whole, compared and synced
    Column("path", Text),  # below the data folder
    Column("stored_ms", BigInteger),
    Column("deleted_ms", BigInteger),
    Column("held", Boolean, nullable=False, default=False),  # legal hold: deleted by nothing
    Index("ix_clips_episode", "episode"),
    Index("ix_clips_box_boot_id", "box", "boot_id"),
    _partial("ix_clips_uncertain", "box", where="dated = 'uncertain'"),
    Index("ix_clips_camera_first_frame_ms_id", "camera", "first_frame_ms", "id"),
    Index("ix_clips_state_stored_ms", "state", "stored_ms"),
    _partial("ix_clips_awaited", "box", where="state = 'announced' OR state = 'left_behind'"),
)

uploads = Table(  # unfinished uploads; their bytes are uploads/<id>.part, whose length is the offset
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
    Column("clip", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("path", Text, nullable=False),  # where the whole file will stand, decided once: a crash changes nothing
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("box", "clip"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), primary_key=True),
    Column("episode", Text, primary_key=True),
    Column("path", Text, nullable=False),  # below the data folder
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Index("ix_snapshots_episode", "episode"),
    Index("ix_snapshots_received_ms", "received_ms"),
)

camera_states = Table(  # camera_state and tamper events; the newest `since_ms` of each (camera, aspect) counts
    "camera_states",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("camera", Text, ForeignKey("cameras.id"), nullable=False),
    Column("aspect", Text, nullable=False),  # "picture" for camera_state, else the kind of tamper
    Column("bad", Boolean, nullable=False),  # picture down, or tamper active
    Column("since_ms", BigInteger, nullable=False),  # the best known
    Column("reason", Text),
    Column("code", Text),  # the same in a word that stays: NoPicture of the contract
    Column("received_ms", BigInteger, nullable=False),
    Column("boot_id", Text),
    Column("box_since_ms", BigInteger),  # as the box told it
    Column("mono_ms", BigInteger),
    Column("clock", Text),
    Index("ix_camera_states_camera_aspect_since_ms", "camera", "aspect", "since_ms"),
)

losses = Table(  # data_lost events: what was promised and will not come
    "losses",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("camera", Text),
    Column("episode", Text),
    Column("clip", Text, index=True),
    Column("size_bytes", BigInteger),
    Column("wall_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

# --- what people are told ----------------------------------------------------------------------------------------

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("camera", Text, ForeignKey("cameras.id"), nullable=False),
    Column("severity", Text, nullable=False, default="normal"),
    Column("start_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # new | acknowledged | closed
    Column("acknowledged_ms", BigInteger),
    Column("owner", Text),  # who acknowledged
    Column("outcome", Text),  # real | false | known | forwarded
    Column("closed_ms", BigInteger),
    Column("late_ms", BigInteger, nullable=False, default=0),  # how late its first episode arrived
    Index("ix_incidents_start_ms_id", "start_ms", "id"),
    Index("ix_incidents_camera_last_ms", "camera", "last_ms"),
    Index("ix_incidents_state_start_ms_id", "state", "start_ms", "id"),
)

incident_episodes = Table(
    "incident_episodes",
    metadata,
    Column("incident", Text, ForeignKey("incidents.id"), primary_key=True),
    Column("episode", Text, ForeignKey("episodes.id"), primary_key=True),
    Column("added_ms", BigInteger, nullable=False),
    Index("ix_incident_episodes_episode", "episode"),
)

incident_history = Table(
    "incident_history",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=True),
    Column("incident", Text, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("wall_ms", BigInteger, nullable=False),
    Column("who", Text),  # a user's name; NULL = the collector
    Column("action", Text, nullable=False),
    Column("note", Text),
)

mutes = Table(  # what nobody is told of for a while; always with an end
    "mutes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("camera", Text, ForeignKey("cameras.id"), nullable=False),
    Column("zone", Text),  # NULL = the whole picture
    Column("from_minute", Integer),  # local minutes of every day; both NULL = all hours
    Column("to_minute", Integer),
    Column("start_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text),
    Column("incident", Text, ForeignKey("incidents.id")),  # the false alarm that it came from
    Column("lifted_ms", BigInteger),
    Column("lifted_by", Text),
    Index("ix_mutes_camera_until_ms", "camera", "until_ms"),
    Index("ix_mutes_until_ms", "until_ms"),
)

muted_episodes = Table(
    "muted_episodes",
    metadata,
    Column("episode", Text, ForeignKey("episodes.id"), primary_key=True),
    Column("mute", Text, ForeignKey("mutes.id"), nullable=False, index=True),
    Column("wall_ms", BigInteger, nullable=False),
)

alerts = Table(  # the delivery queue: due → claimed → sent, or failed
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # what it is about and to which channel: enqueued once
    Column("kind", Text, nullable=False),  # incident | fleet
    Column("incident", Text, ForeignKey("incidents.id"), index=True),  # NULL for alerts to technicians
    Column("episode", Text),  # the one that rang: its picture and zones
    Column("camera", Text),  # cool-down belongs to camera and channel
    Column("channel", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("rings", Boolean, nullable=False),  # may make a sound
    Column("title", Text),  # given for alerts that are not about an incident
    Column("body", Text),
    Column("state", Text, nullable=False),  # due | claimed | sent | failed
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
    Column("claimed_ms", BigInteger),
    Column("claimed_by", Text),
    Column("sent_ms", BigInteger),
    Column("error", Text),
    Column("late_ms", BigInteger, nullable=False, default=0),
    Index("ix_alerts_state_next_ms", "state", "next_ms"),
    Index("ix_alerts_camera_channel_created_ms", "camera", "channel", "created_ms"),
)

# --- between the parts -------------------------------------------------------------------------------------------

changes = Table(  # what the live feed tails; pruned
    "changes",
    metadata,
    Column("id", _Row, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # episode | clip | snapshot | incident | box | camera | alert | outage
    Column("ref", Text, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # ids never come again after pruning: a feed remembers the last it saw
)

commands = Table(  # to boxes: made by pages, sent by ingest, answered by the box
    "commands",
    metadata,
    Column("id", Text, primary_key=True),  # the message id
    Column("box", Text, ForeignKey("boxes.id"), nullable=False, index=True),
    Column("command", Text, nullable=False),
    Column("camera", Text),
    Column("who", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("replied_ms", BigInteger),
    Column("ok", Boolean),
    Column("error", Text),
    Column("code", Text),  # the same in a word that stays: NotDone of the contract
    Column("detail", JSON),
    _partial("ix_commands_due", "created_ms", where="sent_ms IS NULL"),
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
