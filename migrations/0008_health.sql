-- Health checks: what each has come to, so that a new daemon goes on counting, and its newest results.
-- From here on runs.reason may also be 'unhealthy': the run before it was ended because its health checks failed.

CREATE TABLE health_checks (
    process_id INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,         -- its place among the checks of the process, from 0
    spec       TEXT    NOT NULL,         -- json of model::health::CheckSpec: a state of another declaration is none
    state      TEXT    NOT NULL,         -- json of model::health::CheckState
    PRIMARY KEY (process_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE health_results (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    process_id INTEGER NOT NULL REFERENCES processes (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    run        INTEGER NOT NULL,
    time       INTEGER NOT NULL,         -- time
    found      TEXT    NOT NULL,         -- model::health::Status of this result by itself
    changed_to TEXT,                     -- what the check says from here on, when this result changed that
    message    TEXT    NOT NULL,
    latency_us INTEGER NOT NULL,
    metrics    TEXT    NOT NULL          -- json: list of name, value, unit
) STRICT;
CREATE INDEX health_results_of ON health_results (process_id, position, id);
