-- Requests that were accepted and are carried out later. The body and the response are the server's, opaque here.
CREATE TABLE async_request (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    entity INTEGER NOT NULL,
    client TEXT NOT NULL,
    body BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- When it may be claimed: at once, when the lease of a claim ends, or when an attempt is to be repeated.
    due_at INTEGER NOT NULL,
    ended_at INTEGER,
    response BLOB,
    CHECK ((ended_at IS NULL) = (response IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX async_request_waiting ON async_request (id, due_at) WHERE ended_at IS NULL;
CREATE INDEX async_request_ended ON async_request (ended_at) WHERE ended_at IS NOT NULL;
