-- The first schema of hostler's database.
--
-- Times are INTEGER nanoseconds since the Unix epoch, UTC. Columns named "json" hold a serialised value of
-- the crate hostler-model. Migrations are append-only: this file never changes once it is released.

-- What brought the database to its present form.
CREATE TABLE migrations (
    number     INTEGER PRIMARY KEY,      -- same as PRAGMA user_version right after it
    name       TEXT    NOT NULL,         -- file name without number and extension
    digest     TEXT    NOT NULL,         -- FNV-1a 64 of the SQL text, hexadecimal
    applied_at INTEGER NOT NULL          -- time
) STRICT;

-- A directory whose processes belong together.
CREATE TABLE projects (
    id         INTEGER PRIMARY KEY,
    root       TEXT    NOT NULL UNIQUE,  -- absolute directory
    name       TEXT    NOT NULL UNIQUE,  -- short name, made unique with a number behind it
    created_at INTEGER NOT NULL          -- time
) STRICT;

-- A declared process. AUTOINCREMENT: a number is never given out twice, not even after a removal.
CREATE TABLE processes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT    NOT NULL,         -- model::ProcessName
    spec       TEXT    NOT NULL,         -- json of model::ProcessSpec
    lifecycle  TEXT    NOT NULL,         -- json of model::Lifecycle
    generation INTEGER NOT NULL,         -- copy of lifecycle.generation: an older one never overwrites a newer
    desired    TEXT    NOT NULL,         -- copy of lifecycle.desired: 'running' or 'stopped'
    created_at INTEGER NOT NULL,         -- time
    updated_at INTEGER NOT NULL,         -- time of the last change of spec or lifecycle
    UNIQUE (project_id, name)
) STRICT;

-- One run of a process: from one start to its end.
CREATE TABLE runs (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    process_id         INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
    run                INTEGER NOT NULL CHECK (run >= 1),   -- 1 for the first start of the process
    dir                TEXT    NOT NULL,            -- name of its run directory
    boot_id            TEXT    NOT NULL,            -- kernel boot in which it was started
    pid                INTEGER,                     -- main process, once started
    start_ticks        INTEGER,                     -- its start time in /proc/PID/stat, clock ticks since boot
    created_at         INTEGER NOT NULL,            -- time at which the start was decided
    started_at         INTEGER,                     -- time at which the program was executed
    ended_at           INTEGER,                     -- time at which the main process ended
    exit               TEXT,                        -- json of model::Exit
    reason             TEXT    NOT NULL,            -- why it was started: 'start', 'restart' or 'policy'
    end_note           TEXT,                        -- a sentence for people about an unusual end
    descendants_ended  INTEGER NOT NULL DEFAULT 0,  -- processes it left behind that had to be ended
    -- How far its output has come into log_rows. Always written together with the rows.
    journal_segment    INTEGER NOT NULL DEFAULT 0,  -- number of the journal segment
    journal_offset     INTEGER NOT NULL DEFAULT 0,  -- bytes of that segment that are consumed
    carry_stdout       BLOB    NOT NULL DEFAULT x'',-- beginning of a line whose end has not come yet
    carry_stdout_since INTEGER NOT NULL DEFAULT 0,  -- time of its first byte
    carry_stderr       BLOB    NOT NULL DEFAULT x'',
    carry_stderr_since INTEGER NOT NULL DEFAULT 0,
    next_seq           INTEGER NOT NULL DEFAULT 1,  -- number of the next log row
    drained            INTEGER NOT NULL DEFAULT 0 CHECK (drained IN (0, 1)), -- 1: the journal is wholly in log_rows
    UNIQUE (process_id, run)
) STRICT;

-- What a new daemon has to look at: few rows among many.
CREATE INDEX runs_open ON runs (id) WHERE drained = 0 OR ended_at IS NULL;

-- Output, one line a row.
CREATE TABLE log_rows (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,             -- from 1 in each run, no holes; only the oldest rows are ever deleted
    time   INTEGER NOT NULL,             -- time of its first byte
    stream INTEGER NOT NULL,             -- 0 stdout, 1 stderr
    level  INTEGER NOT NULL,             -- OpenTelemetry severity number 1 to 24, 0 unknown
    flags  INTEGER NOT NULL,             -- bit 0: the line goes on in the next row of its stream;
                                         -- bit 1: marks a gap, and raw says what is missing
    raw    BLOB    NOT NULL,             -- bytes as written, without the line end
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- A summary of each few thousand rows in sequence, so that a query by time or stream skips what cannot match.
CREATE TABLE log_blocks (
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    min_time  INTEGER NOT NULL,          -- rows are in order of arrival, which is nearly the order of time
    max_time  INTEGER NOT NULL,
    streams   INTEGER NOT NULL,          -- bit 0: has stdout, bit 1: has stderr
    PRIMARY KEY (run_id, first_seq)
) STRICT, WITHOUT ROWID;
