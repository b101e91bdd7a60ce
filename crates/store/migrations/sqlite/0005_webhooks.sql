-- Webhooks, and what was sent or is to be sent to them. The secrets that sign are derived from the server's own and are in no
-- table.
CREATE TABLE webhook (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    url TEXT NOT NULL,
    description TEXT,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    -- What it is told, each since after an event; null is what it is not told.
    run_ended_after INTEGER,
    payment_processed_after INTEGER,
    payment_declined_after INTEGER,
    secret_generation INTEGER NOT NULL CHECK (secret_generation > 0),
    rotated_at INTEGER,
    -- The last event that was looked at, and the ordinal of the next delivery.
    position INTEGER NOT NULL CHECK (position >= 0),
    next_ordinal INTEGER NOT NULL DEFAULT 1 CHECK (next_ordinal > 0),
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;

-- Deliveries are written before they are sent, in the order of the events.
CREATE TABLE webhook_delivery (
    entity INTEGER NOT NULL,
    webhook BLOB NOT NULL CHECK (length(webhook) = 16),
    ordinal INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    event INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
    run BLOB,
    payment BLOB,
    body BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    is_replay INTEGER NOT NULL DEFAULT 0 CHECK (is_replay IN (0, 1)),
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- When it is sent next, while it waits.
    due_at INTEGER,
    tried_at INTEGER,
    status INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (entity, webhook, ordinal),
    CHECK ((state = 0) = (due_at IS NOT NULL)),
    CHECK ((state = 0) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;
-- The runs of which a webhook has more to be told than may wait at once: what is told of the run after this event, up to the
-- webhook's position, is still to become a delivery. An empty run stands for payments without one.
CREATE TABLE webhook_held (
    entity INTEGER NOT NULL,
    webhook BLOB NOT NULL CHECK (length(webhook) = 16),
    run BLOB NOT NULL CHECK (length(run) IN (0, 16)),
    after INTEGER NOT NULL CHECK (after >= 0),
    PRIMARY KEY (entity, webhook, run)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX webhook_delivery_id ON webhook_delivery (entity, webhook, id);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (entity, webhook, ordinal) WHERE state = 0;
CREATE INDEX webhook_delivery_failed ON webhook_delivery (entity, webhook, ordinal) WHERE state = 2;
