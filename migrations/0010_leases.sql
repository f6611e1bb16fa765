-- When processes end that live for a lease: a daemon that starts goes on with what is left of it.
CREATE TABLE leases (
    process_id INTEGER PRIMARY KEY REFERENCES processes (id) ON DELETE CASCADE,
    ends_at    INTEGER NOT NULL          -- time; renewals are noted once they make a tenth of the lease
) STRICT;
