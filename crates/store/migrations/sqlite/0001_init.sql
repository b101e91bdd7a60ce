-- Conventions: identifiers are 16 bytes; money is whole minor units of the currency beside it; times are milliseconds UTC;
-- dates are ISO text; enumerations are small integers (their codes live in `codes.rs`). What may grow without bound is keyed
-- by entity and account, so that it can be spread by account later. Hot tables carry no foreign keys: each reference is
-- looked up by the command that writes it.

CREATE TABLE entity (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    name TEXT NOT NULL
) STRICT;

CREATE TABLE organization (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX organization_name ON organization (entity, name);

CREATE TABLE client (
    id TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    user BLOB NOT NULL CHECK (length(user) = 16),
    entities TEXT NOT NULL,
    organizations TEXT,
    permissions TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    client TEXT NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_expiry ON token (expires_at);
CREATE INDEX token_client ON token (client);

-- Random bytes that must stay the same from start to start, such as the key that signs cursors.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    entity INTEGER PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE gateway (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX gateway_name ON gateway (entity, name);

-- The next free number of each kind of object.
CREATE TABLE sequence (
    entity INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 6),
    next INTEGER NOT NULL CHECK (next > 0),
    PRIMARY KEY (entity, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    auto_pay INTEGER NOT NULL CHECK (auto_pay IN (0, 1)),
    batch TEXT,
    bill_cycle_day INTEGER NOT NULL CHECK (bill_cycle_day BETWEEN 0 AND 31),
    gateway BLOB,
    default_payment_method BLOB,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
    organization BLOB,
    credit_balance_minor INTEGER NOT NULL CHECK (credit_balance_minor >= 0),
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX account_number ON account (entity, number);

CREATE TABLE payment_method (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    account BLOB,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 4),
    kind_name TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
    mask TEXT,
    brand TEXT,
    expiration_month INTEGER,
    expiration_year INTEGER,
    holder_name TEXT,
    token TEXT,
    use_default_retry_rule INTEGER NOT NULL CHECK (use_default_retry_rule IN (0, 1)),
    max_consecutive_failures INTEGER,
    retry_window_hours INTEGER,
    consecutive_failures INTEGER NOT NULL CHECK (consecutive_failures >= 0),
    last_failed_at INTEGER,
    last_transaction_at INTEGER,
    last_transaction INTEGER CHECK (last_transaction BETWEEN 0 AND 1),
    processed_payments INTEGER NOT NULL,
    error_payments INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;

-- Invoices and debit memos. Money is conserved in every row.
CREATE TABLE document (
    entity INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    number TEXT NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount_minor INTEGER NOT NULL,
    balance_minor INTEGER NOT NULL CHECK (balance_minor >= 0),
    paid_minor INTEGER NOT NULL CHECK (paid_minor >= 0),
    credited_minor INTEGER NOT NULL CHECK (credited_minor >= 0),
    document_date TEXT NOT NULL,
    due_date TEXT NOT NULL,
    auto_pay INTEGER NOT NULL CHECK (auto_pay IN (0, 1)),
    bill_run BLOB,
    payment_method BLOB,
    held_by BLOB,
    comment TEXT,
    reason_code TEXT,
    posted_at INTEGER,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, account, id),
    CHECK (amount_minor = balance_minor + paid_minor + credited_minor)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX document_id ON document (entity, id);
CREATE UNIQUE INDEX document_number ON document (entity, kind, number);
-- What a run selects from, in the order in which it selects, with all that the selection asks, so that the index alone
-- answers it.
CREATE INDEX document_open
    ON document (entity, account, due_date, number, id, posted_at, currency, bill_run, status, balance_minor)
    WHERE status = 1 AND balance_minor > 0;

CREATE TABLE document_item (
    entity INTEGER NOT NULL,
    account BLOB NOT NULL,
    document BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    charge_name TEXT,
    service_start TEXT,
    service_end TEXT,
    PRIMARY KEY (entity, account, document, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE credit_memo (
    entity INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    number TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount_minor INTEGER NOT NULL,
    unapplied_minor INTEGER NOT NULL CHECK (unapplied_minor BETWEEN 0 AND amount_minor),
    effective_date TEXT NOT NULL,
    reason_code TEXT,
    comment TEXT,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    PRIMARY KEY (entity, account, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX credit_memo_id ON credit_memo (entity, id);
CREATE UNIQUE INDEX credit_memo_number ON credit_memo (entity, number);
CREATE INDEX credit_memo_open ON credit_memo (entity, account, effective_date, number)
    WHERE status = 1 AND unapplied_minor > 0;

-- Payments are written in the order of their identifiers, so that the wide rows of a batch lie together; `account` leads the
-- index by which an account's payments are listed.
CREATE TABLE payment (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    account BLOB NOT NULL CHECK (length(account) = 16),
    number TEXT NOT NULL,
    run BLOB,
    chunk INTEGER,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    unapplied_minor INTEGER NOT NULL CHECK (unapplied_minor BETWEEN 0 AND amount_minor),
    payment_method BLOB,
    gateway BLOB,
    reference TEXT,
    code TEXT,
    message TEXT,
    effective_date TEXT NOT NULL,
    reference_id TEXT,
    comment TEXT,
    standalone INTEGER NOT NULL CHECK (standalone IN (0, 1)),
    settled_at INTEGER,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    -- Data records that count with this payment's outcome.
    records_counted INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    body BLOB,
    look_ups INTEGER NOT NULL DEFAULT 0,
    next_look_up_at INTEGER,
    PRIMARY KEY (entity, id),
    CHECK ((run IS NULL) = (chunk IS NULL)),
    -- What is in doubt can be sent again exactly as it was, or be asked about.
    CHECK (state > 2 OR (idempotency_key IS NOT NULL AND body IS NOT NULL AND gateway IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payment_number ON payment (entity, number);
-- The last line of defence: one charge per thing that is paid, whatever else goes wrong.
CREATE UNIQUE INDEX payment_idempotency_key ON payment (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX payment_account ON payment (entity, account, id);
CREATE INDEX payment_run ON payment (entity, run, id) WHERE run IS NOT NULL;
CREATE INDEX payment_intent ON payment (entity, run, chunk) WHERE state = 0 AND run IS NOT NULL;
CREATE INDEX payment_unapplied ON payment (entity, account, effective_date, number)
    WHERE state = 3 AND unapplied_minor > 0;
CREATE INDEX payment_look_up ON payment (next_look_up_at) WHERE next_look_up_at IS NOT NULL;

CREATE TABLE payment_part (
    entity INTEGER NOT NULL,
    payment BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    document BLOB NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (entity, payment, ordinal)
) STRICT, WITHOUT ROWID;

-- How much of a payment is for which data record of its run.
CREATE TABLE payment_record (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    position INTEGER NOT NULL,
    payment BLOB NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (entity, run, position, payment)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    entity INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    number TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
    filter_account BLOB,
    filter_batch TEXT,
    filter_bill_cycle_day INTEGER,
    filter_bill_run BLOB,
    filter_currency TEXT,
    filter_gateway BLOB,
    apply_credit_balance INTEGER NOT NULL CHECK (apply_credit_balance IN (0, 1)),
    auto_apply_credit_memo INTEGER NOT NULL CHECK (auto_apply_credit_memo IN (0, 1)),
    auto_apply_unapplied_payment INTEGER NOT NULL CHECK (auto_apply_unapplied_payment IN (0, 1)),
    collect_payment INTEGER NOT NULL CHECK (collect_payment IN (0, 1)),
    consolidated_payment INTEGER NOT NULL CHECK (consolidated_payment IN (0, 1)),
    process_payment_with_closed_pm INTEGER NOT NULL CHECK (process_payment_with_closed_pm IN (0, 1)),
    use_custom_payment_methods INTEGER CHECK (use_custom_payment_methods IN (0, 1)),
    ignore_retry_rule INTEGER NOT NULL CHECK (ignore_retry_rule IN (0, 1)),
    target_date TEXT,
    run_at INTEGER,
    organizations TEXT NOT NULL,
    record_count INTEGER NOT NULL,
    executed_at INTEGER,
    completed_at INTEGER,
    error_message TEXT,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB NOT NULL,
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    is_stopping INTEGER NOT NULL DEFAULT 0 CHECK (is_stopping IN (0, 1)),
    -- When it wants to start.
    start_at INTEGER NOT NULL,
    -- The selection: its lease, and the key after which it goes on.
    selection_complete INTEGER NOT NULL DEFAULT 0 CHECK (selection_complete IN (0, 1)),
    selection_epoch INTEGER NOT NULL DEFAULT 0,
    selection_lease_until INTEGER NOT NULL DEFAULT 0,
    cursor_account BLOB NOT NULL DEFAULT x'',
    cursor_due_date TEXT NOT NULL DEFAULT '',
    cursor_number TEXT NOT NULL DEFAULT '',
    cursor_id BLOB NOT NULL DEFAULT x'',
    cursor_position INTEGER NOT NULL DEFAULT -1,
    -- Whether the next chunk goes on inside the account in which the last one ends.
    cursor_is_inside INTEGER NOT NULL DEFAULT 0 CHECK (cursor_is_inside IN (0, 1)),
    documents_selected INTEGER NOT NULL DEFAULT 0,
    chunk_count INTEGER NOT NULL DEFAULT 0,
    chunks_done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (entity, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX run_number ON run (entity, number);
CREATE INDEX run_waiting ON run (start_at) WHERE status = 0 AND is_deleted = 0;
CREATE INDEX run_selecting ON run (selection_lease_until) WHERE status = 1 AND selection_complete = 0;
CREATE INDEX run_working ON run (entity, id) WHERE status = 1 AND selection_complete = 1;

CREATE TABLE run_record (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    position INTEGER NOT NULL,
    -- Empty while the record names no account that exists.
    account BLOB NOT NULL,
    body TEXT NOT NULL,
    is_decided INTEGER NOT NULL DEFAULT 0 CHECK (is_decided IN (0, 1)),
    error_code TEXT,
    error_message TEXT,
    amount_minor INTEGER,
    currency TEXT,
    PRIMARY KEY (entity, run, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_record_account ON run_record (entity, run, account, position);

-- A chunk is a half-open range of keys, (after, upto]; nothing is written per document when it is cut.
CREATE TABLE chunk (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    stage INTEGER NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND 2),
    -- Whether it goes on inside the account in which the chunk before it ends.
    follows INTEGER NOT NULL CHECK (follows IN (0, 1)),
    -- Whether the chunk before it must be planned first.
    is_blocked INTEGER NOT NULL CHECK (is_blocked IN (0, 1)),
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    documents INTEGER NOT NULL,
    after_account BLOB NOT NULL,
    after_due_date TEXT NOT NULL,
    after_number TEXT NOT NULL,
    after_id BLOB NOT NULL,
    after_position INTEGER NOT NULL,
    upto_account BLOB NOT NULL,
    upto_due_date TEXT NOT NULL,
    upto_number TEXT NOT NULL,
    upto_id BLOB NOT NULL,
    upto_position INTEGER NOT NULL,
    PRIMARY KEY (entity, run, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX chunk_claimable ON chunk (lease_until, entity, run, ordinal) WHERE stage < 2 AND is_blocked = 0;

-- The counters of a run, per chunk and currency. When a run ends, its rows are folded into one per currency (chunk -1);
-- outcomes that arrive later add rows of their own, so that the sum over a run is always its counters.
CREATE TABLE chunk_tally (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    skipped INTEGER NOT NULL,
    invoices INTEGER NOT NULL,
    invoices_minor INTEGER NOT NULL,
    debit_memos INTEGER NOT NULL,
    debit_memos_minor INTEGER NOT NULL,
    payments INTEGER NOT NULL,
    payments_minor INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    errors_minor INTEGER NOT NULL,
    processing INTEGER NOT NULL,
    processing_minor INTEGER NOT NULL,
    credit_memos INTEGER NOT NULL,
    credit_memos_minor INTEGER NOT NULL,
    unapplied_payments INTEGER NOT NULL,
    unapplied_payments_minor INTEGER NOT NULL,
    credit_balance INTEGER NOT NULL,
    credit_balance_minor INTEGER NOT NULL,
    unprocessed_invoices INTEGER NOT NULL,
    unprocessed_invoices_minor INTEGER NOT NULL,
    unprocessed_debit_memos INTEGER NOT NULL,
    unprocessed_debit_memos_minor INTEGER NOT NULL,
    processed_records INTEGER NOT NULL,
    error_records INTEGER NOT NULL,
    PRIMARY KEY (entity, run, chunk, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    document BLOB NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),
    number TEXT NOT NULL,
    account BLOB NOT NULL,
    currency TEXT NOT NULL,
    balance_minor INTEGER NOT NULL,
    reason INTEGER CHECK (reason BETWEEN 0 AND 12),
    credit_minor INTEGER NOT NULL,
    charge_minor INTEGER NOT NULL,
    payment BLOB,
    payment_method BLOB,
    PRIMARY KEY (entity, run, chunk, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX decision_skipped ON decision (entity, run, chunk, ordinal) WHERE reason IS NOT NULL;

CREATE TABLE credit_application (
    entity INTEGER NOT NULL,
    run BLOB NOT NULL,
    chunk INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    account BLOB NOT NULL,
    document BLOB NOT NULL,
    source_kind INTEGER NOT NULL CHECK (source_kind BETWEEN 0 AND 2),
    source BLOB NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    record INTEGER,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (entity, run, chunk, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX credit_application_record ON credit_application (entity, run, record) WHERE record IS NOT NULL;

-- Answers by idempotency key; an answer that is absent is still being worked on.
CREATE TABLE once (
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    response BLOB,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_expiry ON once (expires_at);

-- What happened to runs and payments; written in the transaction that made it happen, never changed.
CREATE TABLE event (
    entity INTEGER NOT NULL,
    -- Empty for a payment without a run.
    run BLOB NOT NULL,
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    user BLOB,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 9),
    chunk INTEGER,
    payment BLOB,
    state INTEGER,
    detail TEXT,
    PRIMARY KEY (entity, run, id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'events are never deleted');
END;
