-- Errors: groups of what is the same, their newest occurrences, samples, and crashes that are yet to be explained.

-- A group. Its copies of counters are those of its state.
CREATE TABLE error_groups (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    version     INTEGER NOT NULL,        -- of the algorithm that made the fingerprint
    fingerprint TEXT    NOT NULL,        -- 128 bits, hexadecimal
    family      TEXT    NOT NULL,        -- likewise: what all groups of its family have in common
    template    TEXT    NOT NULL,        -- the words that its errors have in common, one space between
    fault       TEXT    NOT NULL,        -- json of model::errors::Fault, as of the newest sample
    state       TEXT    NOT NULL,        -- json of model::errors::GroupState
    category    TEXT    NOT NULL,        -- copy
    count       INTEGER NOT NULL,        -- copy
    first_seen  INTEGER NOT NULL,        -- copy, time
    last_seen   INTEGER NOT NULL,        -- copy, time
    resolved    INTEGER NOT NULL CHECK (resolved IN (0, 1)), -- copy
    UNIQUE (project_id, version, fingerprint)
) STRICT;
CREATE INDEX error_groups_last_seen ON error_groups (project_id, last_seen);

-- In which processes a group was seen.
CREATE TABLE error_processes (
    group_id   INTEGER NOT NULL REFERENCES error_groups (id) ON DELETE CASCADE,
    process_id INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    runs       INTEGER NOT NULL,         -- in how many runs
    ended_runs INTEGER NOT NULL,         -- how many of them ended with it
    first_run  INTEGER NOT NULL,
    last_run   INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,         -- its newest line in that run
    last_seen  INTEGER NOT NULL,         -- time
    PRIMARY KEY (group_id, process_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX error_processes_run ON error_processes (process_id, last_run);

-- The newest occurrences. They are a ring: one that comes takes the place of the one a thousand before it.
CREATE TABLE error_occurrences (
    group_id   INTEGER NOT NULL REFERENCES error_groups (id) ON DELETE CASCADE,
    slot       INTEGER NOT NULL,         -- number modulo the size of the ring
    number     INTEGER NOT NULL,         -- counts from 0
    process_id INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    stream     INTEGER NOT NULL,         -- 0 stdout, 1 stderr
    first_seq  INTEGER NOT NULL,         -- 0 for what no line tells, such as a crash without a word
    last_seq   INTEGER NOT NULL,
    time       INTEGER NOT NULL,         -- time
    PRIMARY KEY (group_id, slot)
) STRICT, WITHOUT ROWID;

-- The lines of the first and of the newest occurrence, without secrets.
CREATE TABLE error_samples (
    group_id   INTEGER NOT NULL REFERENCES error_groups (id) ON DELETE CASCADE,
    slot       INTEGER NOT NULL,         -- 0 the first, 1 the newest
    process_id INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    stream     INTEGER NOT NULL,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    time       INTEGER NOT NULL,         -- time
    context    INTEGER NOT NULL,         -- lines that stood before it
    lines      TEXT    NOT NULL,         -- json, context included
    PRIMARY KEY (group_id, slot)
) STRICT, WITHOUT ROWID;

-- What is known of a process is forgotten with it.
CREATE TRIGGER error_processes_forget AFTER DELETE ON processes BEGIN
    DELETE FROM error_groups WHERE id IN (SELECT group_id FROM error_processes WHERE process_id = old.id)
        AND NOT EXISTS (SELECT 1 FROM error_processes WHERE group_id = error_groups.id AND process_id <> old.id);
    DELETE FROM error_occurrences WHERE process_id = old.id
        AND group_id IN (SELECT group_id FROM error_processes WHERE process_id = old.id);
    DELETE FROM error_samples WHERE process_id = old.id
        AND group_id IN (SELECT group_id FROM error_processes WHERE process_id = old.id);
    DELETE FROM error_processes WHERE process_id = old.id;
END;

-- 1: the run ended by itself and badly, and its output was not yet searched for the reason.
ALTER TABLE runs ADD COLUMN crash_open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_crash_open ON runs (id) WHERE crash_open = 1;
