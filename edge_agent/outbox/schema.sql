-- The outbox: what was seen and is not yet known to be safe at the collector. docs/design/durability.md numbers the
-- invariants; `edge-agent fsck` checks them. PRAGMA user_version is the schema's version. All times are UTC ms.
-- Rows here are the truth; a clip's file without a row is found by salvage, a row without a file by fsck.

-- One row. A number is given here in the same transaction as its event, so it never repeats and never skips.
-- Always: last_seq = receipted + (number of rows in event).
CREATE TABLE outbox (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    id        TEXT NOT NULL,                -- UUIDv7, new whenever numbers begin anew (new card, corrupt database)
    box       TEXT NOT NULL,
    made_ms   INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    receipted INTEGER NOT NULL DEFAULT 0 CHECK (receipted >= 0 AND receipted <= last_seq),
    rescued   TEXT                          -- the last corrupt database whose readable rows were moved in here
) STRICT;

-- Episodes that have begun and not ended, as their messages told: after a power cut their end is told from here.
CREATE TABLE open_episode (
    episode TEXT PRIMARY KEY,
    started BLOB NOT NULL,                  -- the envelope of its episode_started
    updated BLOB                            -- the envelope of its newest episode_updated
) STRICT, WITHOUT ROWID;

-- An event goes when its receipt comes, and for no other reason.
CREATE TABLE event (
    seq           INTEGER PRIMARY KEY,
    made_ms       INTEGER NOT NULL,
    type          TEXT NOT NULL,
    message       BLOB NOT NULL,            -- the envelope as it goes out, never encoded again
    parked_reason TEXT                      -- the server refused it: out of the way until a person has it tried again
) STRICT;

-- JPEGs stand in the table, not in files: one sync for an event and its picture, and nothing to tidy after a crash.
CREATE TABLE snapshot (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256        TEXT NOT NULL,
    episode       TEXT NOT NULL,
    seq           INTEGER NOT NULL,         -- of the event it was put with
    made_ms       INTEGER NOT NULL,
    jpeg          BLOB NOT NULL,
    parked_reason TEXT,
    UNIQUE (episode, sha256)
) STRICT;
CREATE INDEX snapshot_by_sha256 ON snapshot (sha256);

-- A clip's file is whole and synced before its row exists, and is deleted after its row says `going`.
CREATE TABLE clip (
    clip          TEXT PRIMARY KEY,         -- UUIDv7
    episode       TEXT NOT NULL,
    camera        TEXT NOT NULL,
    seq           INTEGER NOT NULL,         -- of its clip_ready event
    sha256        TEXT NOT NULL,
    size_bytes    INTEGER NOT NULL,
    made_ms       INTEGER NOT NULL,
    class         INTEGER NOT NULL,         -- ClipClass: the lowest goes first
    file          TEXT NOT NULL UNIQUE,     -- relative to the data folder
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'parked', 'delivered', 'going')),
    upload_url    TEXT,                     -- a begun upload goes on here
    parked_reason TEXT,
    delivered_ms  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX clip_by_state ON clip (state, class, seq);
CREATE INDEX clip_by_sha256 ON clip (sha256);
