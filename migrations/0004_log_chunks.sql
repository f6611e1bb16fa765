-- Output in chunks: many lines a row, in place of a row for each line.
--
-- Ingest writes a chunk or a few with each transaction. Those that are complete are merged in the background into
-- blocks of about 1 MiB of text ("sealed"), which get a filter by which a search skips them. What both hold, the code
-- encodes (crates/store/src/codec): a chunk can be told from a block by nothing but `sealed`.

-- What a query must know of a chunk before it reads it.
CREATE TABLE log_chunks (
    run_id       INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    first_seq    INTEGER NOT NULL,       -- from 1 in each run, no holes; only the oldest are ever deleted
    last_seq     INTEGER NOT NULL,
    min_time     INTEGER NOT NULL,       -- lines are in order of arrival, which is nearly the order of time
    max_time     INTEGER NOT NULL,
    streams      INTEGER NOT NULL,       -- bit 0: has stdout, bit 1: has stderr
    levels       INTEGER NOT NULL,       -- bit n: has lines of OpenTelemetry severity number n, 0 unknown
    text_bytes   INTEGER NOT NULL,       -- of its lines, their ends included
    stored_bytes INTEGER NOT NULL,       -- of its rows in log_data and log_filters
    sealed       INTEGER NOT NULL CHECK (sealed IN (0, 1)),
    id           INTEGER NOT NULL UNIQUE,-- of its rows in log_data and log_filters; grows in order of arrival
    PRIMARY KEY (run_id, first_seq)
) STRICT, WITHOUT ROWID;

-- What is not sealed yet: few rows among many.
CREATE INDEX log_chunks_open ON log_chunks (run_id, first_seq) WHERE sealed = 0;

-- The lines of a chunk.
CREATE TABLE log_data (
    id   INTEGER PRIMARY KEY,
    data BLOB    NOT NULL
) STRICT;

-- Of a sealed block: which sequences of four bytes it may contain.
CREATE TABLE log_filters (
    id     INTEGER PRIMARY KEY,
    filter BLOB    NOT NULL
) STRICT;

CREATE TRIGGER log_chunks_deleted AFTER DELETE ON log_chunks BEGIN
    DELETE FROM log_data WHERE id = OLD.id;
    DELETE FROM log_filters WHERE id = OLD.id;
END;

-- What parsers made of the lines first_seq to last_seq of a run: those of its events that differ from the line.
-- No event reaches beyond its row.
CREATE TABLE log_events (
    run_id    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    data      BLOB    NOT NULL,
    PRIMARY KEY (run_id, first_seq)
) STRICT, WITHOUT ROWID;

-- How far parsers are: the number of the first line that they have not seen. Always written with log_events.
ALTER TABLE runs ADD COLUMN annotated_seq INTEGER NOT NULL DEFAULT 1;

-- The lines of log_rows are carried over by the code (crates/store/src/migrate/chunks.rs), which drops it then.
DROP TABLE log_blocks;
