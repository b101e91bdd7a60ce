-- Up to when all charges of a gateway are known to be in this ledger, by the gateway's clock, in milliseconds UTC.
CREATE TABLE gateway_listing (
    gateway BLOB PRIMARY KEY CHECK (length(gateway) = 16),
    complete_until INTEGER NOT NULL,
    -- Whether that was compared since the process that works on this file started.
    is_compared INTEGER NOT NULL DEFAULT 0 CHECK (is_compared IN (0, 1))
) STRICT, WITHOUT ROWID;

-- While there is a row, nothing is charged: the ledger was restored from an older copy, and not reconciled since.
CREATE TABLE charging_hold (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;

-- Money that a gateway has collected and nobody could match. While it stands here, the account's documents in its currency
-- are held.
CREATE TABLE unmatched_payment (
    entity INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 16),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    payment BLOB NOT NULL CHECK (length(payment) = 16),
    PRIMARY KEY (entity, account, currency, payment)
) STRICT, WITHOUT ROWID;

-- The payment was taken over from the gateway's books: what asks for it again is not charged.
ALTER TABLE payment ADD COLUMN is_adopted INTEGER NOT NULL DEFAULT 0 CHECK (is_adopted IN (0, 1));

-- The payment was planned before the gateway's charges were compared. Nothing was sent for it by then: a charge under its key is
-- older than its plan, and proves that the ledger was restored.
ALTER TABLE payment ADD COLUMN is_uncompared INTEGER NOT NULL DEFAULT 0 CHECK (is_uncompared IN (0, 1));
CREATE INDEX payment_uncompared ON payment (gateway) WHERE is_uncompared = 1;
CREATE TRIGGER payment_planned_uncompared AFTER INSERT ON payment
WHEN NEW.gateway IS NOT NULL
    AND EXISTS (SELECT 1 FROM gateway_listing WHERE gateway = NEW.gateway AND is_compared = 0)
BEGIN
    UPDATE payment SET is_uncompared = 1 WHERE entity = NEW.entity AND id = NEW.id;
END;

-- Charges of this ledger for accounts that it does not have. They were told to a person, and are no news.
CREATE TABLE noted_charge (
    gateway BLOB NOT NULL CHECK (length(gateway) = 16),
    reference TEXT NOT NULL,
    key TEXT,
    currency TEXT,
    amount_minor INTEGER,
    at INTEGER NOT NULL,
    PRIMARY KEY (gateway, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX noted_charge_key ON noted_charge (key) WHERE key IS NOT NULL;
