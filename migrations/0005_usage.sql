-- What processes used: one row for each stretch of time and each 32 processes, so that a tick of the sampler is a few
-- rows, and a series of one process is one range.
CREATE TABLE usage_frames (
    resolution INTEGER NOT NULL,         -- length of the stretch, seconds: 10, 60 or 900
    shard      INTEGER NOT NULL,         -- id of the process, divided by 32
    start      INTEGER NOT NULL,         -- its beginning, seconds since the Unix epoch
    points     BLOB    NOT NULL,         -- model::usage::frame
    PRIMARY KEY (resolution, shard, start)
) STRICT, WITHOUT ROWID;
