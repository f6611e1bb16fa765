-- Who started a process for its own time only (lifetime "session"): the process of a client. A daemon that starts
-- learns by it whether that client still lives.
CREATE TABLE session_owners (
    process_id  INTEGER PRIMARY KEY REFERENCES processes (id) ON DELETE CASCADE,
    pid         INTEGER NOT NULL,        -- the client's process
    start_ticks INTEGER NOT NULL,        -- its start time in /proc/PID/stat, clock ticks since boot
    boot_id     TEXT    NOT NULL         -- kernel boot in which that was
) STRICT;
