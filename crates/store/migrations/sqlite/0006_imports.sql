-- Imports, how far each is, and why lines were refused.

CREATE TABLE import (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
    format INTEGER NOT NULL CHECK (format BETWEEN 0 AND 1),
    -- The first line that was not taken yet.
    next_line INTEGER NOT NULL CHECK (next_line > 0),
    stored INTEGER NOT NULL CHECK (stored >= 0),
    refused INTEGER NOT NULL CHECK (refused >= 0),
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, id),
    -- Empty lines are neither.
    CHECK (stored + refused < next_line)
) STRICT, WITHOUT ROWID;

-- A row for each line that was refused; written in the transaction that took the line, never changed.
CREATE TABLE import_fault (
    entity INTEGER NOT NULL,
    import BLOB NOT NULL,
    line INTEGER NOT NULL,
    -- Every reason, as JSON.
    faults TEXT NOT NULL,
    PRIMARY KEY (entity, import, line)
) STRICT, WITHOUT ROWID;
