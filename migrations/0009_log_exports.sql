-- How far each sink has the output of each run. A sink is there for as long as the configuration declares it.

CREATE TABLE log_sinks (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,  -- as the configuration calls it
    created_at INTEGER NOT NULL          -- time: what was written before is not sent
) STRICT;

CREATE TABLE log_exports (
    sink_id  INTEGER NOT NULL REFERENCES log_sinks (id) ON DELETE CASCADE,
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    next_seq INTEGER NOT NULL,           -- the first line that the sink does not have
    PRIMARY KEY (sink_id, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_exports_of_run ON log_exports (run_id);
