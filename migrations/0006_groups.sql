-- Processes that are started and stopped together.
CREATE TABLE groups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name       TEXT    NOT NULL,         -- model::ProcessName
    declared   TEXT    NOT NULL,         -- json of model::Group
    run        TEXT    NOT NULL,         -- json of model::GroupRun: what is wanted of it, and how far it is
    created_at INTEGER NOT NULL,         -- time
    updated_at INTEGER NOT NULL,         -- time of the last change of declared or run
    UNIQUE (project_id, name)
) STRICT;
