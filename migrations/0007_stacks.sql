-- What came from which hostler.toml: only that is removed when the file no longer has it.
CREATE TABLE stacks (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    file       TEXT    NOT NULL,         -- absolute path
    processes  TEXT    NOT NULL,         -- json list of names
    groups     TEXT    NOT NULL,         -- json list of names, that of the whole stack last
    updated_at INTEGER NOT NULL,         -- time of the last change
    PRIMARY KEY (project_id, file)
) STRICT, WITHOUT ROWID;
