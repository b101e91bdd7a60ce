-- Schedules, and the runs that are their occurrences. The rule and the template are JSON text, opaque here.
CREATE TABLE schedule (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 1),
    recurrence TEXT NOT NULL,
    filter TEXT NOT NULL,
    options TEXT NOT NULL,
    organizations TEXT NOT NULL,
    -- The last day whose occurrence has begun or was given up.
    used_day TEXT,
    last_run BLOB,
    started INTEGER NOT NULL CHECK (started >= 0),
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_active ON schedule (entity, id) WHERE status = 0;

ALTER TABLE run ADD COLUMN schedule BLOB;
ALTER TABLE run ADD COLUMN occurrence_day TEXT CHECK ((occurrence_day IS NULL) = (schedule IS NULL));
ALTER TABLE run ADD COLUMN recurrence TEXT CHECK ((recurrence IS NULL) = (schedule IS NULL));
-- The last line of defence: one run per schedule and day, and one that waits per schedule, whatever else goes wrong.
CREATE UNIQUE INDEX run_occurrence ON run (entity, schedule, occurrence_day) WHERE schedule IS NOT NULL;
CREATE UNIQUE INDEX run_pending_occurrence ON run (entity, schedule)
    WHERE schedule IS NOT NULL AND status = 0 AND is_deleted = 0;
