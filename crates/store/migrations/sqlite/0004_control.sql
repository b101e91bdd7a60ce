-- The audit trail in the order of its positions, also by run and by payment. Kinds up to 99 leave room for what is recorded
-- later; the numbers live in `codes.rs`.
CREATE TABLE event_wider (
    entity INTEGER NOT NULL,
    id INTEGER NOT NULL,
    run BLOB CHECK (length(run) = 16),
    at INTEGER NOT NULL,
    user BLOB,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 99),
    chunk INTEGER,
    payment BLOB,
    state INTEGER,
    detail TEXT,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
INSERT INTO event_wider (entity, id, run, at, user, kind, chunk, payment, state, detail)
    SELECT entity, id, nullif(run, x''), at, user, kind, chunk, payment, state, detail FROM event ORDER BY entity, id;
DROP TABLE event;
ALTER TABLE event_wider RENAME TO event;
CREATE INDEX event_run ON event (entity, run, id) WHERE run IS NOT NULL;
CREATE INDEX event_payment ON event (entity, payment, id) WHERE payment IS NOT NULL;
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted');
END;

-- The payment whose outcome an answer waits for, with its entity.
ALTER TABLE once ADD COLUMN entity INTEGER;
ALTER TABLE once ADD COLUMN payment BLOB;

-- Payments that did not go well, by state: they are few, and somebody looks for them.
CREATE INDEX payment_state ON payment (entity, state, id) WHERE state IN (1, 2, 4, 5);
